"""The rule: a book rebuilt from the stream is `GET /orderbook` at the same sequence, come what may.

Orders come in all the time; the follower drops its connection again and again and resumes; the
server is killed again and again in the middle of it.
"""

import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import trio
from trio_websocket import (
    ConnectionClosed,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)

from tradeclear.testing.server import NO_RATE_LIMITS, ConnectionLost, Server, running_server

SEED = 20_261_120
ORDERS = 900
KILLS = 3
PATIENCE_S = 60
CHANNELS = ("orderbook_deltas", "trades")
INSTRUMENTS = ("BTC-USD", "ETH-USD")
CONFIG = """
segment_bytes_max = 65536
snapshot_interval_s = 0.5

[[instruments]]
name = "BTC-USD"

[[instruments]]
name = "ETH-USD"
"""


class Follower:
    """Follows docs/streams.md, and nothing else."""

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.positions: dict[str, int] = {}
        self.books: dict[int, dict[tuple[str, Decimal], tuple[Decimal, int]]] = {}
        self.levels: dict[tuple[str, Decimal], tuple[Decimal, int]] = {}
        self.trades: list[int] = []
        self.updates: list[int] = []
        self.resumed = 0
        self.snapshots = 0

    def requests(self) -> Iterator[dict[str, Any]]:
        """A channel each, from its own position."""
        for channel in CHANNELS:
            wanted = {"op": "subscribe", "channels": [channel], "instrument": self.instrument}
            if channel in self.positions:
                wanted["from_sequence"] = self.positions[channel]
            yield wanted

    @property
    def position(self) -> int:
        """Up to where it knows everything; -1 if nothing."""
        return min(self.positions.get(channel, -1) for channel in CHANNELS)

    def take(self, message: Any) -> None:
        kind, sequence = message["type"], message["sequence"]
        if kind == "subscribed":
            (channel,) = message["channels"]
            assert message["resume"] == ("replayed" if channel in self.positions else "none")
            self.resumed += message["resume"] == "replayed"
            self.positions[channel] = sequence
        elif kind == "snapshot":
            self.snapshots += 1
            self._apply(message)
        elif kind == "live":
            (channel,) = message["channels"]
            self.positions[channel] = max(self.positions[channel], sequence)
        else:
            self._update(message, sequence)

    def _update(self, message: Any, sequence: int) -> None:
        channel = message["channel"]
        assert message["previous_sequence"] < sequence
        assert sequence > self.positions[channel], "what is known came again"
        assert message["previous_sequence"] <= self.positions[channel], "a gap"
        self.positions[channel] = sequence
        if channel == "trades":
            self.trades += [trade["trade_id"] for trade in message["trades"]]
            return
        self.updates.append(sequence)
        self._apply(message)
        self.books[sequence] = dict(self.levels)

    def _apply(self, message: Any) -> None:
        for side in ("bids", "asks"):
            for price, quantity, orders in message[side]:
                if orders:
                    self.levels[side, price] = (quantity, orders)
                else:
                    self.levels.pop((side, price), None)

    def at(self, sequence: int) -> dict[tuple[str, Decimal], tuple[Decimal, int]]:
        """The book after the last change at or before `sequence`."""
        known = [one for one in self.books if one <= sequence]
        return self.books[max(known)] if known else {}


async def follow(server: Server, followers: list[Follower], chance: random.Random) -> None:
    """Until cancelled: connect, follow for a while, break the connection off, come back."""
    while True:
        try:
            await _follow_once(server, followers, chance.randint(20, 120))
        except* (ConnectionClosed, HandshakeError, OSError, trio.BrokenResourceError):
            pass
        await trio.sleep(0.01)


async def _follow_once(server: Server, followers: list[Follower], messages: int) -> None:
    async with connected(server) as socket:
        for follower in followers:
            for request in follower.requests():
                await socket.send_message(json.dumps(request))
        by_name = {follower.instrument: follower for follower in followers}
        for _ in range(messages):
            message = json.loads(await socket.get_message(), parse_float=Decimal)
            by_name[message["instrument"]].take(message)


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[WebSocketConnection]:
    """A WebSocket on `/stream`, which is broken off at the end, without a word."""
    stream = await trio.open_tcp_stream(server.host, server.port)
    async with stream, trio.open_nursery() as nursery:
        yield await wrap_client_stream(nursery, stream, server.host, "/stream")
        nursery.cancel_scope.cancel()


class Trader:
    """Places, cancels and crosses at random, and reads the book now and then."""

    def __init__(self, chance: random.Random, instruments: tuple[str, ...]) -> None:
        self.chance = chance
        self.instruments = instruments
        self.read: list[tuple[str, int, dict[tuple[str, Decimal], tuple[Decimal, int]]]] = []
        self.placed = 0
        self._ids: list[str] = []

    async def run(self, server: Server, orders: int) -> None:
        """Place `orders` orders. Raises `ConnectionLost` when the server is gone."""
        async with await server.connect() as connection:
            for _ in range(orders):
                await self._order(connection)
                if self.chance.random() < 0.1:
                    await self._read(connection)

    async def _order(self, connection: Any) -> None:
        if self._ids and self.chance.random() < 0.3:
            gone = self._ids.pop(self.chance.randrange(len(self._ids)))
            await connection.request("DELETE", f"/orders/{gone}")
            return
        self.placed += 1
        body = {
            "order_id": f"order-{self.placed}",
            "client_id": "A",
            "instrument": self.chance.choice(self.instruments),
            "side": self.chance.choice(["buy", "sell"]),
            "price": f"{100 + self.chance.randint(-20, 20) / 100:.2f}",
            "quantity": self.chance.randint(1, 9),
        }
        self._ids.append(str(body["order_id"]))
        await connection.request("POST", "/orders", json.dumps(body).encode())

    async def _read(self, connection: Any) -> None:
        name = self.chance.choice(self.instruments)
        reply = await connection.request("GET", f"/orderbook?levels=1000&instrument={name}")
        told = reply.json()
        levels = {
            (side, row["price"]): (row["quantity"], row["orders"])
            for side in ("bids", "asks")
            for row in told[side]
        }
        self.read.append((name, told["sequence"], levels))


@asynccontextmanager
async def following(
    server: Server, followers: list[Follower], chance: random.Random
) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, server, followers, chance)
        yield
        nursery.cancel_scope.cancel()


async def reached(follower: Follower, position: int) -> None:
    while follower.position < position:  # noqa: ASYNC110 - a real process is waited for
        await trio.sleep(0.01)


async def catch_up(server: Server, followers: list[Follower]) -> None:
    """Come back a last time, until everything is live: nothing that happened is missing then."""
    by_name = {follower.instrument: follower for follower in followers}
    async with connected(server) as socket:
        for follower in followers:
            for request in follower.requests():
                await socket.send_message(json.dumps(request))
        lives = 0
        while lives < len(followers) * len(CHANNELS):
            message = json.loads(await socket.get_message(), parse_float=Decimal)
            by_name[message["instrument"]].take(message)
            lives += message["type"] == "live"


def compare(followers: list[Follower], trader: Trader) -> None:
    by_name = {follower.instrument: follower for follower in followers}
    compared = 0
    for name, sequence, levels in trader.read:
        follower = by_name[name]
        assert follower.at(sequence) == levels, f"{name} at {sequence}"
        compared += 1
    assert compared > 20
    for follower in followers:
        assert follower.updates == sorted(set(follower.updates))
    trades = sorted(trade for follower in followers for trade in follower.trades)
    assert trades == list(range(1, len(trades) + 1)), "a trade is missing or came twice"
    assert len(trades) > 100


async def test_with_reconnects(server: Server) -> None:
    """At either door, with one instrument: the default configuration."""
    chance = random.Random(SEED)
    print(f"seed {SEED}")  # noqa: T201
    followers = [Follower("BTC-USD")]
    trader = Trader(chance, ("BTC-USD",))
    with trio.fail_after(PATIENCE_S):
        async with following(server, followers, random.Random(SEED)):
            await reached(followers[0], 0)
            await trader.run(server, ORDERS)
        await catch_up(server, followers)
    compare(followers, trader)
    assert followers[0].resumed > 3
    assert followers[0].snapshots == 1


async def test_with_kills(tmp_path: Path) -> None:
    """Two instruments, log segments that rotate, and kill -9 in the middle of the orders."""
    chance = random.Random(SEED)
    print(f"seed {SEED}")  # noqa: T201
    followers = [Follower(name) for name in INSTRUMENTS]
    trader = Trader(chance, INSTRUMENTS)
    async with running_server(
        tmp_path / "server", config=CONFIG, environment=NO_RATE_LIMITS
    ) as server:
        with trio.fail_after(PATIENCE_S):
            async with following(server, followers, random.Random(SEED)):
                for follower in followers:
                    await reached(follower, 0)
                for _ in range(KILLS):
                    await trader.run(server, ORDERS // KILLS // 2)
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(run_until_lost, trader, server)
                        await trio.sleep(chance.uniform(0.05, 0.3))
                        await server.kill()
                    await server.start()
                await trader.run(server, ORDERS // 5)
            await catch_up(server, followers)
    compare(followers, trader)
    assert all(follower.resumed >= KILLS for follower in followers)
    assert all(follower.snapshots >= 1 for follower in followers)


async def run_until_lost(trader: Trader, server: Server) -> None:
    with suppress(ConnectionLost):
        await trader.run(server, 1_000_000)
