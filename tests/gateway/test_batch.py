"""The rule: each element is for itself, in order, and answered as its own route would."""

import json
from typing import Any

import pytest
import trio

from tradeclear.gateway import batch as module
from tradeclear.gateway.batch import BatchRoutes
from tradeclear.gateway.rate_limits import unlimited
from tradeclear.gateway.routing import Call


async def results(reply: Any, body: Any) -> list[Any]:
    assert reply.status_code == 200
    found: list[Any] = (await body(reply))["results"]
    return found


async def test_place_cancel_and_amend_in_order(client: Any, order: Any, body: Any) -> None:
    reply = await client.post(
        "/orders/batch",
        json={
            "orders": [
                order(order_id="a", instrument="ETH-USD", price="100.05", quantity="0.1"),
                {"op": "amend", "order_id": "a", "price": "100.10"},
                order(order_id="b", op="place", side="sell"),
                order(order_id="c"),
                {"op": "cancel", "order_id": "a", "client_id": "client-A"},
                {"op": "cancel", "order_id": "b"},
            ]
        },
    )
    told = await results(reply, body)
    assert [one["status"] for one in told] == [201, 200, 201, 201, 200, 409]
    assert [one["order"]["status"] for one in told] == [
        "open",
        "open",
        "open",
        "filled",
        "cancelled",
        "filled",
    ]
    assert [one["order"]["sequence"] for one in told] == [2, 2, 4, 5, 2, 4]
    assert [len(one.get("trades", ())) for one in told] == [0, 0, 0, 1, 0, 0]
    assert told[5]["name"] == "order_closed"


async def test_a_bare_array_and_an_empty_one(client: Any, order: Any, body: Any) -> None:
    told = await results(await client.post("/orders/batch", json=[order()]), body)
    assert [one["status"] for one in told] == [201]
    assert await results(await client.post("/orders/batch", json=[]), body) == []


async def test_a_bad_element_harms_no_other(client: Any, order: Any, body: Any) -> None:
    reply = await client.post(
        "/orders/batch",
        json=[
            order(quantity=0),
            order(),
            7,
            {"op": "buy"},
            {"op": "cancel", "order_id": "none"},
            {"op": "amend", "order_id": "none", "price": 1},
            {"op": "amend", "order_id": "none"},
            order(),
        ],
    )
    told = await results(reply, body)
    assert [one["status"] for one in told] == [400, 201, 400, 400, 404, 404, 404, 201]
    assert (told[0]["field"], told[3]["field"]) == ("quantity", "op")
    assert told[2]["name"] == "malformed_body"


async def test_more_than_a_thousand_are_refused_whole(
    client: Any, order: Any, problem: Any, house: Any
) -> None:
    before = house.engine.seq
    reply = await client.post("/orders/batch", json=[order()] * 1001)
    assert (await problem(reply, 400, "invalid_field"))["field"] == "orders"
    assert house.engine.seq == before


async def test_a_thousand_are_taken(client: Any, order: Any, body: Any) -> None:
    told = await results(await client.post("/orders/batch", json=[order()] * 1000), body)
    assert [one["order"]["sequence"] for one in told] == list(range(2, 1002))


async def test_keys_of_elements(client: Any, order: Any, body: Any) -> None:
    batch = [order(idempotency_key="a"), order(idempotency_key="a"), order(idempotency_key="b")]
    first = await results(await client.post("/orders/batch", json=batch), body)
    assert ["replayed" in one for one in first] == [False, True, False]
    assert first[1]["order"] == first[0]["order"]
    again = await results(await client.post("/orders/batch", json=batch), body)
    assert [one["replayed"] for one in again] == [True, True, True]


async def test_the_requests_key_serves_elements_without_one(
    client: Any, order: Any, body: Any, house: Any
) -> None:
    headers = {"Idempotency-Key": "k"}
    batch = [order(), order(), {"op": "cancel", "order_id": "none"}]
    first = await results(await client.post("/orders/batch", json=batch, headers=headers), body)
    seq = house.engine.seq
    again = await results(await client.post("/orders/batch", json=batch, headers=headers), body)
    assert [one["replayed"] for one in again] == [True, True, True]
    assert [one["order"] for one in again[:2]] == [one["order"] for one in first[:2]]
    assert house.engine.seq == seq


async def test_a_bad_key_of_the_request(client: Any, order: Any, problem: Any) -> None:
    reply = await client.post(
        "/orders/batch", json=[order()], headers={"Idempotency-Key": "k" * 129}
    )
    assert (await problem(reply, 400, "invalid_field"))["field"] == "Idempotency-Key"


async def test_each_element_costs_a_token(house: Any, order: Any, body: Any) -> None:
    app = house.app(
        client_rate_per_s=1,
        client_burst=2,
        address_rate_per_s=1,
        address_burst=5,
        clock=lambda: 0.0,
    )
    batch = [order(), order(), order(), order(client_id="B"), {"op": "cancel", "order_id": "x"}]
    batch.append(order(client_id="C"))
    told = await results(await app.test_client().post("/orders/batch", json=batch), body)
    assert [one["status"] for one in told] == [201, 201, 429, 201, 404, 429]
    assert "client" in told[2]["detail"]
    assert "address" in told[5]["detail"]


async def test_after_one_that_is_not_taken_none_is(open_house: Any, order: Any, body: Any) -> None:
    async with open_house(input_channel_max=3) as house:
        client = house.app().test_client()
        batch = [order() for _ in range(6)] + [order(quantity=0)]
        told = await results(await client.post("/orders/batch", json=batch), body)
    # The matcher takes what waits in one piece, and three may wait.
    assert [one["status"] for one in told] == [201, 201, 201, 503, 503, 503, 400]
    assert told[5]["retry_after_s"] == 1


async def test_cancelled_while_waiting_all_were_taken(house: Any, order: Any) -> None:
    call = Call(body=json.dumps([order(order_id=str(n)) for n in range(500)]).encode())
    batch = BatchRoutes(house.exchange, unlimited())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(batch.batch, call)
        while not house.partition.waiting() and house.engine.seq == 1:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    with trio.fail_after(5):
        while house.engine.seq < 501:
            await trio.lowlevel.checkpoint()
    assert house.engine.orders.open_count == 500


async def test_new_orders_alone_are_answered_as_among_others(
    open_house: Any, order: Any, body: Any
) -> None:
    """The short way, all read at once, tells what the long way tells, refusals too."""
    orders = [
        order(order_id="a"),
        order(order_id="a"),
        order(quantity=0, order_id="b"),
        order(order_id="c", side="sell", quantity="0.1"),
        order(order_id="d", instrument="X"),
        order(order_id="e", idempotency_key="k"),
        order(order_id="f", idempotency_key="k"),
    ]
    cancel = {"op": "cancel", "order_id": "nobody's"}
    told = []
    for batch in (orders, [*orders, cancel]):
        async with open_house() as house:
            reply = await house.app().test_client().post("/orders/batch", json=batch)
            told.append((await results(reply, body))[: len(orders)])
    for one in told[0] + told[1]:
        one.get("order", {}).pop("created_at", None)
        one.get("order", {}).pop("updated_at", None)
        for trade in one.get("trades", ()):
            trade.pop("timestamp")
    assert told[0] == told[1]
    assert [one["status"] for one in told[0]] == [201, 409, 400, 201, 400, 201, 422]


async def test_new_orders_alone_cost_a_token_each(house: Any, order: Any, body: Any) -> None:
    app = house.app(
        client_rate_per_s=1,
        client_burst=3,
        address_rate_per_s=1,
        address_burst=6,
        clock=lambda: 0.0,
    )
    client = app.test_client()

    async def statuses(*batch: Any) -> list[int]:
        reply = await client.post("/orders/batch", json=batch)
        return [one["status"] for one in await results(reply, body)]

    assert await statuses(order(), order(), order(client_id="B")) == [201] * 3
    assert await statuses(order(), order(), order(client_id="B")) == [201, 429, 201]
    assert (await client.post("/orders/batch", json=[order(client_id="C")])).status_code == 429


async def test_a_long_batch_of_new_orders_is_read_one_by_one(
    client: Any, order: Any, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = await results(await client.post("/orders/batch", json=[order(order_id="a")]), body)
    monkeypatch.setattr(module, "TOGETHER_BYTES_MAX", 10)
    told += await results(await client.post("/orders/batch", json=[order(order_id="b")]), body)
    assert [one["status"] for one in told] == [201, 201]


async def test_an_empty_batch_is_a_checkpoint(house: Any) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await BatchRoutes(house.exchange, unlimited()).batch(Call(body=b"[]"))
    assert scope.cancelled_caught
