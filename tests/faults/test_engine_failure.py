"""The rule: a command that makes the engine raise ends the process once, and never again."""

from pathlib import Path

import msgspec
import trio

from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.testing.server import (
    NO_RATE_LIMITS,
    Connection,
    ConnectionLost,
    Reply,
    running_server,
)

from .trader import Trader

PLANTED = """
from tradeclear.core.engine import Engine

apply = Engine.apply

def apply_or_raise(engine, seq, now, command):
    if getattr(command, "client_id", "") == "poison":
        raise RuntimeError("planted")
    return apply(engine, seq, now, command)

Engine.apply = apply_or_raise
"""
WAITERS = 5


POISON = msgspec.json.encode(
    {
        "client_id": "poison",
        "instrument": "BTC-USD",
        "side": "buy",
        "type": "limit",
        "price": "1.00",
        "quantity": "1",
        "order_id": "poison-1",
        "idempotency_key": "poison-key",
    }
)


async def test_an_exception_in_apply_from_end_to_end(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(PLANTED)
    environment = {**NO_RATE_LIMITS, "PYTHONPATH": str(tmp_path)}
    async with running_server(tmp_path / "home", environment=environment) as server:
        trader = Trader(server)
        await trader.trade(50)

        replies: list[Reply | None] = []
        connections = [await server.connect() for _ in range(WAITERS)]
        async with trio.open_nursery() as nursery:
            for connection in connections:
                nursery.start_soon(place, replies, connection)
        assert await server.wait_exit() == ExitCode.ENGINE_FAILED
        assert b"planted" in server.said()
        told = [reply for reply in replies if reply is not None]
        assert told, "nobody was told"
        for reply in told:
            assert (reply.status, reply.json()["name"]) == (503, "outcome_unknown")

        # The state is the last durable one; the command is refused and does no harm any more.
        await server.start()
        await trader.compare()
        replies.clear()
        await place(replies, await server.connect())
        assert replies[0] is not None
        assert (replies[0].status, replies[0].json()["name"]) == (422, "quarantined")
        await trader.trade(20)
        await trader.compare()


async def place(replies: list[Reply | None], connection: Connection) -> None:
    """Send the poison; None when the connection ended instead of an answer."""
    async with connection:
        try:
            replies.append(await connection.request("POST", "/orders", POISON))
        except ConnectionLost:
            replies.append(None)
