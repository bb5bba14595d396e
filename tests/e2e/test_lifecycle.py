"""The rule: told to stop, it finishes, writes a snapshot, says 0; a directory has one server."""

import signal
from typing import Any

import msgspec
import pytest

from tradeclear.testing.crash_comparison import replayed_hash
from tradeclear.testing.server import Connection, Server, ServerFailed

EXIT_LOCKED = 75


async def place_some(server: Server) -> None:
    async with await server.connect() as connection:
        for number in range(20):
            order = {
                "order_id": f"order-{number}",
                "client_id": "client-A",
                "instrument": "BTC-USD",
                "side": "buy" if number % 2 else "sell",
                "type": "limit",
                "price": f"{100 + number % 5}.00",
                "quantity": "1",
                "idempotency_key": f"key-{number}",
            }
            reply = await connection.request("POST", "/orders", msgspec.json.encode(order))
            assert reply.status == 201, reply


async def show_book(connection: Connection) -> Any:
    return (await connection.request("GET", "/orderbook?instrument=BTC-USD&levels=20")).json()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stops_in_order(server: Server, number: signal.Signals) -> None:
    await place_some(server)
    async with await server.connect() as connection:
        before = (await connection.request("POST", "/admin/snapshots")).json()
        book = await show_book(connection)
        # One more record, so that there is something to write a snapshot of.
        assert (await connection.request("POST", "/orders/order-0/cancel")).status == 409
        assert await server.end(number) == 0
    replayed_seq, replayed = replayed_hash(server.wal_dir)
    await server.start()
    async with await server.connect() as connection:
        newest = (await connection.request("GET", "/admin/snapshots")).json()["snapshots"][0]
        after = (await connection.request("POST", "/admin/snapshots")).json()
        shown = await show_book(connection)
    assert newest["seq"] == before["seq"] + 1
    assert (newest["seq"], newest["state_hash"]) == (replayed_seq, replayed)
    assert (after["seq"], after["state_hash"]) == (replayed_seq, replayed)
    assert shown == {**book, "sequence": newest["seq"]}


async def test_second_server_on_one_directory_is_refused(server: Server) -> None:
    await place_some(server)
    second = Server(server.home.parent / "second", wal_dir=server.wal_dir)
    with pytest.raises(ServerFailed) as refused:
        await second.start()
    assert refused.value.code == EXIT_LOCKED
    said = second.log_tail()
    assert str(server.wal_dir) in said
    assert "Traceback" not in said
    assert str(server.pid) in said or "another process" in said
    async with await server.connect() as connection:
        assert (await connection.request("GET", "/orders/order-1")).status == 200
