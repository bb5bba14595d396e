"""The rule: one key, one order, one reply, however often and after whatever crash it is asked."""

import msgspec
import pytest
import trio

from tradeclear.testing.server import Reply, Server

TIMES = 100
ORDER = {
    "client_id": "client-A",
    "instrument": "BTC-USD",
    "side": "buy",
    "type": "limit",
    "price": "100.00",
    "quantity": "1.5",
}


async def send_at_once(server: Server, body: bytes, headers: dict[str, str]) -> list[Reply]:
    replies: list[Reply] = []

    async def send() -> None:
        async with await server.connect() as connection:
            replies.append(await connection.request("POST", "/orders", body, headers))

    async with trio.open_nursery() as nursery:
        for _ in range(TIMES):
            nursery.start_soon(send)
    return replies


def replayed(reply: Reply) -> bool:
    return reply.headers.get("idempotency-replayed") == "true"


@pytest.mark.parametrize("by_header", [False, True])
@pytest.mark.parametrize("own_id", [False, True])
async def test_same_key_at_once_and_after_a_crash(
    server: Server, by_header: bool, own_id: bool
) -> None:
    order = {**ORDER, **({"order_id": "order-1"} if own_id else {})}
    body = msgspec.json.encode(order if by_header else {**order, "idempotency_key": "abc-123"})
    headers = {"Idempotency-Key": "abc-123"} if by_header else {}
    async with await server.connect() as connection:
        sell = {**ORDER, "order_id": "maker", "client_id": "client-B", "side": "sell"}
        maker = await connection.request("POST", "/orders", msgspec.json.encode(sell))
        assert maker.status == 201

    replies = await send_at_once(server, body, headers)
    (reply,) = {reply.body for reply in replies}
    assert {reply.status for reply in replies} == {201}
    assert sum(map(replayed, replies)) == TIMES - 1
    await server.restart()
    again = await send_at_once(server, body, headers)
    assert {(reply.status, reply.body) for reply in again} == {(201, reply)}
    assert all(map(replayed, again))

    async with await server.connect() as connection:
        listed = (await connection.request("GET", "/orders?client_id=client-A&limit=10")).json()
        trades = (await connection.request("GET", "/trades?limit=10")).json()["trades"]
        told = msgspec.json.decode(reply)
        assert [order["order_id"] for order in listed["orders"]] == [told["order"]["order_id"]]
        assert [trade["trade_id"] for trade in trades] == [told["trades"][0]["trade_id"]]


async def test_same_key_for_another_order_is_refused(server: Server) -> None:
    async with await server.connect() as connection:
        keyed = {**ORDER, "idempotency_key": "abc-123"}
        first = await connection.request("POST", "/orders", msgspec.json.encode(keyed))
        other = {**keyed, "quantity": "1.6"}
        refused = await connection.request("POST", "/orders", msgspec.json.encode(other))
        elsewhere = {**other, "client_id": "client-B"}
        accepted = await connection.request("POST", "/orders", msgspec.json.encode(elsewhere))
    assert (first.status, refused.status, accepted.status) == (201, 422, 201)
    assert refused.json()["name"] == "key_reused"
