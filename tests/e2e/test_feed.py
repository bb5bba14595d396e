"""The rule: the exchange follows its outside market, and whatever becomes of that, takes orders.

Real processes: `tradeclear venue-sim` and `tradeclear serve --feed binance`.
"""

import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import trio

from tradeclear.testing.server import (
    NO_RATE_LIMITS,
    Connection,
    Server,
    child_environment,
    running_server,
)
from tradeclear.venues.web_socket import connect_socket

WAIT_S = 30
BUY = b'{"side":"buy","amount":1.5}'
ORDER = {"client_id": "client-A", "side": "buy", "price": "100", "quantity": "1"}


@asynccontextmanager
async def venue_sim(home: Path, port: int = 0) -> AsyncGenerator[int]:
    """The simulator as a process; gives its port."""
    log = home / "venue-sim.log"
    with log.open("wb") as output:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "tradeclear", "venue-sim", "--port", str(port)],
            env=child_environment(home, {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with trio.fail_after(WAIT_S):
            while not (ready := re.search(rb"http://127\.0\.0\.1:(\d+)", log.read_bytes())):
                assert process.poll() is None, log.read_text()
                await trio.sleep(0.02)
        yield int(ready[1])
    finally:
        process.send_signal(signal.SIGTERM)
        with trio.CancelScope(shield=True), trio.move_on_after(WAIT_S):
            assert await process.wait() == 0, log.read_text()


async def market(connection: Connection) -> Any:
    return await connection.request("POST", "/market", BUY)


async def wait_for(connection: Connection, status: int) -> Any:
    with trio.fail_after(WAIT_S):
        while True:
            reply = await market(connection)
            if reply.status == status:
                return reply
            await trio.sleep(0.05)


async def feed_state(connection: Connection) -> str:
    return str((await connection.request("GET", "/readyz")).json()["parts"]["feed"])


async def wait_for_state(connection: Connection, state: str) -> None:
    with trio.fail_after(WAIT_S):
        while True:
            if await feed_state(connection) == state:
                return
            await trio.sleep(0.05)


async def place(connection: Connection) -> int:
    return (await connection.request("POST", "/orders", msgspec.json.encode(ORDER))).status


@asynccontextmanager
async def exchange(tmp_path: Path, port: int) -> AsyncGenerator[Server]:
    environment = {
        **NO_RATE_LIMITS,
        "TRADECLEAR_FEED": "binance",
        "TRADECLEAR_FEED_REST_URL": f"http://127.0.0.1:{port}",
        "TRADECLEAR_FEED_STREAM_URL": f"ws://127.0.0.1:{port}",
        "TRADECLEAR_FEED_POLL_INTERVAL_S": "0.3",
        "TRADECLEAR_FEED_STALE_AFTER_S": "1",
        "TRADECLEAR_REDIS": "false",
    }
    async with running_server(tmp_path / "server", environment=environment) as server:
        yield server


async def test_a_venue_that_comes_goes_and_comes_again(tmp_path: Path) -> None:
    async with (
        venue_sim(tmp_path) as port,
        exchange(tmp_path, port) as server,
        await server.connect() as connection,
    ):
        told = (await wait_for(connection, 200)).json()
        assert (told["filled"], told["status"]) == (Decimal("1.5"), "filled")
        assert Decimal(told["avg_price"]) > 0
        assert await place(connection) == 201
        url = f"ws://{server.host}:{server.port}/ws/depth"
        async with connect_socket(url) as socket:
            with trio.fail_after(WAIT_S):
                top = msgspec.json.decode(await socket.get_message())
                assert (len(top["bids"]), len(top["asks"])) == (10, 10)
                change = msgspec.json.decode(await socket.get_message())
                assert change["bids"] or change["asks"]
        gone = port
    # Another pair: the exchange is there before its venue, and outlives it.
    async with exchange(tmp_path / "again", gone) as server:
        async with await server.connect() as connection:
            assert (await market(connection)).status == 503
            assert await place(connection) == 201
            async with venue_sim(tmp_path, gone):
                await wait_for(connection, 200)
                await wait_for_state(connection, "streaming")
            refused = (await wait_for(connection, 503)).json()
            assert refused["name"] == "market_stale"
            await wait_for_state(connection, "stale")
            assert await place(connection) == 201
            async with venue_sim(tmp_path, gone):
                await wait_for(connection, 200)
        assert await server.end(signal.SIGTERM) == 0
        assert b"Traceback" not in server.said()


async def test_without_a_feed_there_is_no_market(tmp_path: Path) -> None:
    async with (
        running_server(tmp_path / "server") as server,
        await server.connect() as connection,
    ):
        assert (await market(connection)).status == 404
        assert await feed_state(connection) == "off"
