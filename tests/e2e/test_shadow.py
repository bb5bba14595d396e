"""The rule: a real server that shadows recorded Binance has its book, less what users took.

The recording is played by venue-sim and stands still where the test looks, so that what is seen can
be held against the venue's book exactly. Our tick is a tenth of Binance's: there is room in the
spread.
"""

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import trio

from tradeclear.testing.server import NO_RATE_LIMITS, Server, running_server
from tradeclear.testing.venue_sim.published import Published
from tradeclear.testing.venue_sim.recording import Recording
from tradeclear.testing.venue_sim.server import running_venue
from tradeclear.testing.venue_sim.venue import Venue

PATIENCE_S = 60
LEVELS = 20
SPEED = 4.0
REFILL_S = 4
CONFIG = """
[[instruments]]
name = "BTC-USD"
tick_size = "0.001"
price_max = "1000000"
"""

Levels = dict[Decimal, Decimal]


class Paced:
    """A venue that plays the recording up to a moment, and then stands still after a diff."""

    def __init__(self, files: list[Path]) -> None:
        self.venue = Venue(Recording(files), speed=SPEED, wait=True)
        self._publish = self.venue.hub.publish
        self._until_s = 0.0
        self._go_on = trio.Event()
        self._stands = trio.Event()
        self.venue.hub.publish = self._publish_in_time  # type: ignore[method-assign]

    async def _publish_in_time(self, message: Published) -> None:
        await self._publish(message)
        if message.diff is not None and message.at_s >= self._until_s:
            self._stands.set()
            await self._go_on.wait()

    async def play(self, seconds: float) -> None:
        """Play on, so many seconds of the recording; returns when it stands still again."""
        await self._stands.wait()
        self._until_s += seconds
        self._stands = trio.Event()
        self._go_on.set()
        self._go_on = trio.Event()
        await self._stands.wait()

    def best(self, side: str) -> Levels:
        """What the venue shows, by its own slow book."""
        book = self.venue.book
        pairs = book.bids(LEVELS) if side == "bids" else book.asks(LEVELS)
        return {Decimal(price): Decimal(quantity) for price, quantity in pairs}


class Exchange:
    """The server, as a user sees it. Every look holds that the book is not crossed."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        async with await self.server.connect() as connection:
            reply = await connection.request(method, path, data)
        assert reply.status < 300, reply.body
        return reply.json()

    async def book(self) -> dict[str, Levels]:
        told = await self.ask("GET", f"/orderbook?levels={LEVELS}")
        sides = {
            side: {Decimal(one["price"]): Decimal(one["quantity"]) for one in told[side]}
            for side in ("bids", "asks")
        }
        if sides["bids"] and sides["asks"]:
            assert max(sides["bids"]) < min(sides["asks"]), "crossed"
        return sides

    async def until_equal(self, paced: Paced) -> None:
        """Wait until the book is the venue's."""
        book: Any = None
        with trio.move_on_after(PATIENCE_S):
            while True:
                book = await self.book()
                if all(book[side] == paced.best(side) for side in book):
                    return
                await trio.sleep(0.05)
        assert book == {side: paced.best(side) for side in book}

    async def order(self, **terms: Any) -> Any:
        return await self.ask("POST", "/orders", {"client_id": "ann", **terms})


@asynccontextmanager
async def shadowing(data: Path, home: Path) -> AsyncIterator[tuple[Paced, Exchange]]:
    files = sorted((data / "binance").glob("*.gz"))
    paced = Paced(files)
    async with running_venue(paced.venue) as address:
        environment = {
            **NO_RATE_LIMITS,
            "TRADECLEAR_FEED_REST_URL": f"http://{address}",
            "TRADECLEAR_FEED_STREAM_URL": f"ws://{address}",
            # It stands still for as long as the test looks.
            "TRADECLEAR_FEED_SILENCE_S": "600",
            "TRADECLEAR_FEED_STALE_AFTER_S": "600",
            "TRADECLEAR_FEED_POLL_INTERVAL_S": "600",
            "TRADECLEAR_SHADOW_REFILL_S": str(REFILL_S),
            "TRADECLEAR_FEED": "shadow",
        }
        async with running_server(home, config=CONFIG, environment=environment) as server:
            yield paced, Exchange(server)


async def test_it_follows_users_take_and_nothing_is_left(shared_data: Path, tmp_path: Path) -> None:
    async with shadowing(shared_data, tmp_path / "server") as (paced, exchange):
        await paced.play(8)
        await exchange.until_equal(paced)
        for _ in range(4):
            await paced.play(1)
            await exchange.until_equal(paced)
        await _user_takes(paced, exchange)
        await _user_waits_in_the_spread(paced, exchange)
        await exchange.until_equal(paced)
        await _nobody_trades_as_the_house(exchange)
        await _killed(paced, exchange)
        await _stopped(exchange)


async def _user_takes(paced: Paced, exchange: Exchange) -> None:
    """What a user bought is missing at its price until it is refilled."""
    shown = paced.best("asks")
    price = min(shown)
    lot = Decimal("0.00001")
    taken = max(lot, (shown[price] / 2).quantize(lot))
    reply = await exchange.order(side="buy", type="market", quantity=str(taken))
    assert reply["order"]["status"] == "filled"
    assert {Decimal(trade["price"]) for trade in reply["trades"]} == {price}
    assert all(one["sell_order_id"].startswith("shadow-quotes:") for one in reply["trades"])
    book = await exchange.book()
    assert shown[price] - taken <= book["asks"].get(price, 0) < shown[price]
    await exchange.until_equal(paced)


async def _user_waits_in_the_spread(paced: Paced, exchange: Exchange) -> None:
    """The venue's sellers meet the user's better bid first, and its buyers the better ask."""
    prices = {
        "buy": max(paced.best("bids")) + Decimal("0.004"),
        "sell": min(paced.best("asks")) - Decimal("0.004"),
    }
    ids = {}
    for side, price in prices.items():
        reply = await exchange.order(side=side, price=str(price), quantity="0.00002")
        assert reply["order"]["status"] == "open"
        ids[side] = reply["order"]["order_id"]
    book = await exchange.book()
    assert (max(book["bids"]), min(book["asks"])) == (prices["buy"], prices["sell"])
    states: Any = {}
    with trio.fail_after(PATIENCE_S):
        while "filled" not in states.values():
            await paced.play(1)
            for side, order_id in ids.items():
                states[side] = (await exchange.ask("GET", f"/orders/{order_id}"))["status"]
    await exchange.ask("DELETE", "/orders?client_id=ann")
    trades = (await exchange.ask("GET", "/trades?limit=1000"))["trades"]
    fills = [trade for trade in trades if trade["maker_order_id"] in ids.values()]
    assert fills
    for fill in fills:
        takers = {fill["buy_order_id"], fill["sell_order_id"]} - {fill["maker_order_id"]}
        assert all(taker.startswith("shadow-") for taker in takers)


async def _nobody_trades_as_the_house(exchange: Exchange) -> None:
    async with await exchange.server.connect() as connection:
        for client in ("shadow-quotes", "shadow-trades"):
            order = {"client_id": client, "side": "buy", "price": 1, "quantity": 1}
            for reply in (
                await connection.request("POST", "/orders", json.dumps(order).encode()),
                await connection.request("DELETE", f"/orders?client_id={client}"),
            ):
                assert (reply.status, reply.json()["field"]) == (400, "client_id")
                assert "the exchange's own" in reply.json()["detail"]
            batch = json.dumps([order]).encode()
            reply = await connection.request("POST", "/orders/batch", batch)
            assert b"the exchange's own" in reply.body


async def _killed(paced: Paced, exchange: Exchange) -> None:
    """What it left in the book goes before the doors open; then the book is the venue's again."""
    server = exchange.server
    await server.kill()
    await server.start()
    told = server.said()
    assert 0 <= told.find(b"shadow_withdrawn") < told.find(b"is ready on")
    await paced.play(3)
    await exchange.until_equal(paced)


async def _stopped(exchange: Exchange) -> None:
    """An orderly stop leaves nothing behind."""
    server = exchange.server
    assert await server.end(signal.SIGTERM) == 0
    server.environment["TRADECLEAR_FEED"] = "off"
    await server.start()
    assert await exchange.book() == {"bids": {}, "asks": {}}
    assert b"shadow_withdrawn" not in server.said()
