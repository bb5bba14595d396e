"""The rule: what the exchange knows of a client's orders is read to the last page."""

import pytest

from tradeclear.client.errors import Refused
from tradeclear.client.http import open_http
from tradeclear.client.orders import Orders

from .conftest import HASTE, ORDER, HttpScript, problem, reply


async def test_list_reads_every_page(http_script: HttpScript) -> None:
    pages = [
        {"orders": [{**ORDER, "order_id": "3"}, {**ORDER, "order_id": "2"}], "next_cursor": "20"},
        {"orders": [], "next_cursor": "10"},
        {"orders": [{**ORDER, "order_id": "1"}], "next_cursor": None},
    ]
    http_script.replies = [reply(200, page) for page in pages]
    async with open_http(http_script.url, HASTE) as http:
        orders = Orders("client-A", http)
        found = [order.order_id async for order in orders.list("open", "filled")]
    assert found == ["3", "2", "1"]
    query = "/orders?client_id=client-A&limit=1000&status=open%2Cfilled"
    assert [request.path for request in http_script.requests] == [
        query,
        f"{query}&cursor=20",
        f"{query}&cursor=10",
    ]


async def test_get_names_anything_in_a_path(http_script: HttpScript) -> None:
    http_script.replies = [reply(200, ORDER), reply(404, problem(202, "unknown_order", 404))]
    async with open_http(http_script.url, HASTE) as http:
        orders = Orders("client-A", http)
        assert (await orders.get("a/b?c@d")).order_id == "order-1"
        with pytest.raises(Refused) as refused:
            await orders.get("nobody")
    assert refused.value.name == "unknown_order"
    assert http_script.requests[0].path == "/orders/a%2Fb%3Fc%40d"


async def test_cancel_all_is_asked_again_with_its_key(
    http_script: HttpScript, jumping_clock: object
) -> None:
    told = {
        "client_id": "client-A",
        "instrument": "BTC-USD",
        "cancelled": 1,
        "remaining": 0,
        "order_ids": ["order-1"],
    }
    http_script.replies = [None, reply(503, problem(1014, "stopping", 503)), reply(200, told)]
    async with open_http(http_script.url, HASTE) as http:
        done = await Orders("client-A", http).cancel_all("BTC-USD")
    assert (done.cancelled, done.remaining, done.order_ids) == (1, 0, ("order-1",))
    assert {request.path for request in http_script.requests} == {
        "/orders?client_id=client-A&instrument=BTC-USD"
    }
    assert len({request.headers["idempotency-key"] for request in http_script.requests}) == 1
