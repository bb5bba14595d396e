"""The rule: every outcome of the matcher is told with the order, from its record alone."""

import json
from decimal import Decimal
from typing import Any

import pytest
import trio

from tradeclear.core.idempotency import request_digest
from tradeclear.gateway.order_routes import OrderRoutes
from tradeclear.gateway.rate_limits import unlimited
from tradeclear.gateway.routing import Call
from tradeclear.model.commands import CancelOrder


async def test_place_rests(client: Any, order: Any, body: Any) -> None:
    reply = await client.post("/orders", json=order(order_id="o"))
    assert (reply.status_code, reply.content_type) == (201, "application/json")
    told = await body(reply)
    assert told["trades"] == []
    assert (told["order"]["status"], told["order"]["price"]) == ("open", Decimal("70150.5"))


async def test_place_trades(client: Any, order: Any, body: Any) -> None:
    await client.post("/orders", json=order(order_id="s", side="sell", quantity=1))
    told = await body(await client.post("/orders", json=order(order_id="b", price="70151")))
    assert (told["order"]["status"], told["order"]["average_price"]) == (
        "filled",
        Decimal("70150.5"),
    )
    assert told["trades"] == [
        {
            "trade_id": 1,
            "instrument": "BTC-USD",
            "buy_order_id": "b",
            "sell_order_id": "s",
            "maker_order_id": "s",
            "price": Decimal("70150.5"),
            "quantity": Decimal("0.25"),
            "timestamp": "2023-11-14T22:13:23.000000Z",
            "sequence": 3,
        }
    ]


async def test_rejected_is_201(client: Any, order: Any, body: Any) -> None:
    reply = await client.post("/orders", json=order(type="market", price=None))
    assert reply.status_code == 201
    told = (await body(reply))["order"]
    assert (told["status"], told["reject_reason"]) == ("rejected", "no_liquidity")


async def test_duplicate_id_is_409_with_the_order_for_its_owner_only(
    client: Any, order: Any, problem: Any
) -> None:
    await client.post("/orders", json=order(order_id="o"))
    told = await problem(
        await client.post("/orders", json=order(order_id="o", price=1)), 409, "duplicate_order_id"
    )
    assert (told["code"], told["order"]["price"]) == (201, Decimal("70150.5"))
    other = await client.post("/orders", json=order(order_id="o", client_id="B"))
    assert "order" not in await problem(other, 409, "duplicate_order_id")


async def test_invalid_field_is_400_and_not_in_the_log(
    client: Any, order: Any, house: Any, problem: Any
) -> None:
    before = house.engine.seq
    told = await problem(await client.post("/orders", json=order(quantity=0)), 400, "invalid_field")
    assert (told["field"], told["detail"]) == ("quantity", "quantity: must be greater than 0")
    assert house.engine.seq == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x", None])
async def test_any_content_type_is_read_as_json(client: Any, order: Any, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    reply = await client.post("/orders", data=json.dumps(order()), headers=headers)
    assert reply.status_code == 201


# Idempotency


async def test_a_repeated_key_gives_the_same_bytes(client: Any, order: Any) -> None:
    await client.post("/orders", json=order(side="sell", quantity=1))
    headers = {"Idempotency-Key": "k"}
    first = await client.post("/orders", json=order(), headers=headers)
    again = await client.post("/orders", json=order(idempotency_key="k"))
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (first.status_code, await first.get_data()) == (201, await again.get_data())
    assert again.status_code == 201


async def test_a_repeated_refusal_is_repeated(client: Any, order: Any) -> None:
    await client.post("/orders", json=order(order_id="o"))
    replies = [
        await client.post("/orders", json=order(order_id="o", idempotency_key="k"))
        for _ in range(2)
    ]
    assert [reply.status_code for reply in replies] == [409, 409]
    assert await replies[0].get_data() == await replies[1].get_data()
    assert replies[1].headers["Idempotency-Replayed"] == "true"


async def test_a_key_for_another_request_is_422(client: Any, order: Any, problem: Any) -> None:
    await client.post("/orders", json=order(idempotency_key="k"))
    reply = await client.post("/orders", json=order(idempotency_key="k", quantity=1))
    await problem(reply, 422, "key_reused")


async def test_keys_are_per_client(client: Any, order: Any) -> None:
    await client.post("/orders", json=order(idempotency_key="k"))
    reply = await client.post("/orders", json=order(idempotency_key="k", client_id="B"))
    assert (reply.status_code, "Idempotency-Replayed" in reply.headers) == (201, False)


async def test_two_different_keys_are_400(client: Any, order: Any, problem: Any) -> None:
    reply = await client.post(
        "/orders", json=order(idempotency_key="k"), headers={"Idempotency-Key": "other"}
    )
    assert (await problem(reply, 400, "invalid_field"))["field"] == "idempotency_key"


async def test_cancel_amend_and_cancel_all_take_keys(client: Any, order: Any) -> None:
    await client.post("/orders", json=order(order_id="o"))
    await client.post("/orders", json=order(order_id="p"))
    for send in (
        lambda: client.patch("/orders/o", json={"quantity": "0.2", "idempotency_key": "a"}),
        lambda: client.post("/orders/o/cancel", headers={"Idempotency-Key": "c"}),
        lambda: client.delete("/orders?client_id=client-A", headers={"Idempotency-Key": "d"}),
    ):
        first, again = await send(), await send()
        assert first.status_code == again.status_code == 200
        assert await first.get_data() == await again.get_data()
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"


# Cancel, amend, cancel all


@pytest.mark.parametrize("how", ["POST", "DELETE"])
async def test_cancel_tells_the_final_state(
    client: Any, order: Any, how: str, body: Any, problem: Any
) -> None:
    await client.post("/orders", json=order(order_id="o"))
    if how == "POST":
        reply = await client.post("/orders/o/cancel")
    else:
        reply = await client.delete("/orders/o?client_id=client-A")
    assert reply.status_code == 200
    told = (await body(reply))["order"]
    assert (told["order_id"], told["status"], told["closed"]) == ("o", "cancelled", True)
    closed = await problem(await client.delete("/orders/o"), 409, "order_closed")
    assert (closed["code"], closed["order"]) == (203, told)


async def test_cancel_of_an_unknown_or_a_strangers_order_is_404(
    client: Any, order: Any, problem: Any
) -> None:
    await client.post("/orders", json=order(order_id="o"))
    await problem(await client.delete("/orders/x"), 404, "unknown_order")
    told = await problem(await client.delete("/orders/o?client_id=B"), 404, "unknown_order")
    assert "order" not in told


@pytest.mark.parametrize("order_id", ["a/b", "a/b/c", "//", "a:b@c+d=e", ".-_", "cancel", "batch"])
async def test_any_id_can_stand_in_a_path(server: Any, order: Any, order_id: str) -> None:
    async with server.http() as http:
        await http.post("/orders", json=order(order_id=order_id))
        path = "/orders/" + order_id.replace("/", "%2F")
        assert (await http.get(path)).json()["order_id"] == order_id
        assert (await http.post(path + "/cancel")).status_code == 200


async def test_an_id_that_can_not_be_is_400(client: Any, problem: Any) -> None:
    told = await problem(await client.delete("/orders/a%20b"), 400, "invalid_field")
    assert told["field"] == "order_id"


async def test_amend(client: Any, order: Any, body: Any) -> None:
    await client.post("/orders", json=order(order_id="o"))
    told = await body(await client.patch("/orders/o", json={"price": 70000, "quantity": "0.5"}))
    assert (told["order"]["price"], told["order"]["quantity"]) == (70000, Decimal("0.5"))
    assert told["trades"] == []


async def test_amend_that_crosses_tells_its_trades(client: Any, order: Any, body: Any) -> None:
    await client.post("/orders", json=order(order_id="s", side="sell", price=70200))
    await client.post("/orders", json=order(order_id="b"))
    told = await body(await client.patch("/orders/b", json={"price": 70200}))
    assert told["order"]["status"] == "filled"
    assert [trade["maker_order_id"] for trade in told["trades"]] == ["s"]


async def test_amend_is_in_the_orders_own_ticks(client: Any, order: Any, problem: Any) -> None:
    eth = order(order_id="o", instrument="ETH-USD", price="100.05", quantity="0.1")
    await client.post("/orders", json=eth)
    told = await problem(
        await client.patch("/orders/o", json={"price": "100.01"}), 400, "invalid_field"
    )
    assert "0.05" in told["detail"]
    assert (await client.patch("/orders/o", json={"price": "100.10"})).status_code == 200


async def test_amends_that_are_refused(client: Any, order: Any, problem: Any) -> None:
    await client.post("/orders", json=order(order_id="m", side="sell", quantity="0.1"))
    await client.post("/orders", json=order(order_id="o"))
    under = await problem(
        await client.patch("/orders/o", json={"quantity": "0.1"}), 409, "quantity_not_above_filled"
    )
    assert (under["code"], under["order"]["filled_quantity"]) == (204, Decimal("0.1"))
    await client.post("/orders", json=order(order_id="s", side="sell", price=80000))
    await client.post("/orders", json=order(order_id="p", price=1, post_only=True))
    await problem(await client.patch("/orders/p", json={"price": 80000}), 409, "amend_would_cross")
    eth = order(order_id="e", instrument="ETH-USD", price=1, quantity=1)
    await client.post("/orders", json=eth)
    await problem(await client.patch("/orders/e", json={"quantity": "0.5"}), 409, "outside_limits")
    await problem(await client.patch("/orders/none", json={"price": 1}), 404, "unknown_order")
    await problem(await client.patch("/orders/none", json={"price": "0.001"}), 404, "unknown_order")
    await client.delete("/orders/o")
    await problem(await client.patch("/orders/o", json={"price": 1}), 409, "order_closed")


async def test_cancel_all(client: Any, order: Any, body: Any) -> None:
    for name, instrument in (("a", "BTC-USD"), ("b", "ETH-USD"), ("c", "BTC-USD")):
        await client.post(
            "/orders", json=order(order_id=name, instrument=instrument, price=100, quantity=1)
        )
    await client.post("/orders", json=order(order_id="x", client_id="B"))
    reply = await client.delete("/orders?client_id=client-A&instrument=BTC-USD")
    assert await body(reply) == {
        "client_id": "client-A",
        "instrument": "BTC-USD",
        "cancelled": 2,
        "remaining": 0,
        "order_ids": ["a", "c"],
    }
    told = await body(await client.delete("/orders?client_id=client-A"))
    assert (told["instrument"], told["order_ids"]) == (None, ["b"])


async def test_cancel_all_needs_a_client(client: Any, problem: Any) -> None:
    told = await problem(await client.delete("/orders"), 400, "invalid_field")
    assert told["field"] == "client_id"


async def test_unknown_parameters_are_named(client: Any, problem: Any) -> None:
    told = await problem(await client.delete("/orders?client=A"), 400, "invalid_field")
    assert told["field"] == "client"


# What goes wrong on our side


async def test_a_failed_log_is_outcome_unknown(open_house: Any, order: Any, problem: Any) -> None:
    with pytest.RaisesGroup(OSError, flatten_subgroups=True):
        async with open_house() as house:
            house.log.broken = True
            with trio.CancelScope(shield=True):
                client = house.app().test_client()
                reply = await client.post("/orders", json=order(order_id="o"))
                again = await client.post("/orders", json=order(order_id="o"))
                ready = await client.get("/readyz")
    await problem(reply, 503, "outcome_unknown")
    assert reply.headers["Retry-After"] == "1"
    await problem(again, 503, "outcome_unknown")
    parts = (await problem(ready, 503, "not_ready"))["parts"]
    assert parts["log"] == "failed"


async def test_a_full_input_channel_is_503(open_house: Any, order: Any, problem: Any) -> None:
    async with open_house(input_channel_max=1) as house:
        app = house.app()
        replies: list[Any] = []

        async def send() -> None:
            replies.append(await app.test_client().post("/orders", json=order()))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(send)
        refused = [reply for reply in replies if reply.status_code != 201]
        assert 0 < len(refused) < 20
        for reply in refused:
            await problem(reply, 503, "overloaded")
            assert int(reply.headers["Retry-After"]) >= 1
        assert house.engine.seq == 1 + 20 - len(refused)


async def test_a_stopping_exchange_takes_nothing(open_house: Any, order: Any, problem: Any) -> None:
    async with open_house() as house:
        house.partition.stop()
        reply = await house.app().test_client().post("/orders", json=order())
    await problem(reply, 503, "stopping")
    assert "Retry-After" in reply.headers


async def test_a_quarantined_command_is_422(
    house: Any, client: Any, order: Any, problem: Any, body: Any
) -> None:
    await client.post("/orders", json=order(order_id="o"))
    house.quarantine.add(request_digest(CancelOrder("o")))
    await problem(await client.delete("/orders/o"), 422, "quarantined")
    assert (await body(await client.get("/orders/o")))["status"] == "open"


async def test_a_reply_that_the_log_has_lost_is_aged_out(
    house: Any, client: Any, order: Any, problem: Any
) -> None:
    await client.post("/orders", json=order(idempotency_key="k"))
    house.log.records.clear()
    await problem(await client.post("/orders", json=order(idempotency_key="k")), 404, "aged_out")


async def test_a_cancelled_handler_leaves_the_order_whole_or_not_at_all(
    house: Any, order: Any
) -> None:
    body = json.dumps(order(order_id="o")).encode()
    call = Call(body=body)
    routes = OrderRoutes(house.exchange, unlimited())
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(routes.place, call)
            await trio.lowlevel.checkpoint()
            scope.cancel()
    with trio.fail_after(5):
        seq = await house.exchange.query(lambda engine: engine.seq)
    found = house.engine.orders.by_id.get("o")
    assert (found is not None) == (seq == 2)


# Rate limits


async def test_a_client_over_its_rate_is_429(house: Any, order: Any, problem: Any) -> None:
    now = [0.0]
    app = house.app(client_rate_per_s=2, client_burst=2, clock=lambda: now[0])
    client = app.test_client()
    first = await client.post("/orders", json=order())
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("2", "1")
    await client.post("/orders", json=order())
    refused = await client.post("/orders", json=order())
    await problem(refused, 429, "rate_limited")
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert (await client.post("/orders", json=order(client_id="B"))).status_code == 201
    now[0] += 1
    assert (await client.post("/orders", json=order())).status_code == 201


async def test_an_address_over_its_rate_is_429_but_health_is_told(house: Any, problem: Any) -> None:
    client = house.app(address_rate_per_s=1, address_burst=1, clock=lambda: 0.0).test_client()
    assert (await client.get("/trades")).status_code == 200
    await problem(await client.get("/trades"), 429, "rate_limited")
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await client.get(path)).status_code == 200
