"""An engine for single rules, and a whole exchange in memory beside a simulated venue."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar, cast

import pytest
import trio

from tradeclear.core.engine import Engine
from tradeclear.model.commands import Command, Configure, Limits, PlaceOrder
from tradeclear.model.events import Record
from tradeclear.model.instrument import Instrument, define_instrument
from tradeclear.model.order import Side
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.partition import Partition
from tradeclear.telemetry.metrics import Metrics
from tradeclear.testing.venue_sim.memory import MemoryVenue
from tradeclear.testing.venue_sim.venue import Venue
from tradeclear.testing.venue_sim.walk import Walk
from tradeclear.venues.market import Market
from tradeclear.venues.shadow.grid import Grid, Quantities
from tradeclear.venues.shadow.shadow import Shadow
from tradeclear.venues.stream import Stream

T = TypeVar("T")

BTC = "BTC-USD"
QUOTES = "house-quotes"
TRADES = "house-trades"
SEED = 20240808
STALE_AFTER_S = 5.0
REFILL_S = 10.0


class Core:
    """An engine with one instrument; every command gives a record."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.do(Configure((define_instrument(BTC),), Limits()))

    def do(self, command: Command) -> Record:
        seq = self.engine.seq + 1
        return Record(seq, seq, command, self.engine.apply(seq, seq, command))

    def place(self, side: Side, price: int, quantity: int, *, client: str = "ann") -> Record:
        order_id = f"{client}:{self.engine.seq}"
        return self.do(PlaceOrder(order_id, client, BTC, side, "limit", price, quantity))

    def resting(self, client: str = QUOTES) -> Quantities:
        return resting(self.engine, client)


def resting(engine: Engine, client: str) -> Quantities:
    """What a client has in the book, by the book itself."""
    found: Quantities = {}
    for order in engine.orders.open_of(client):
        place = order.side, order.price
        found[place] = found.get(place, 0) + order.remaining
    return found


class MemoryLog:
    """A log that forgets; durable at once."""

    def append(self, first_seq: int, records: Sequence[bytes]) -> int:
        return sum(map(len, records))

    def read(self, seq: int) -> bytes:
        raise AssertionError("no key is repeated here")


class InPlace:
    """Threads that are none, so that the clock may jump."""

    @contextmanager
    def worker(self, name: str) -> Iterator["InPlace"]:
        yield self

    async def run_sync(self, call: Callable[[], T]) -> T:
        await trio.lowlevel.checkpoint()
        return call()

    def seconds(self) -> float:
        return trio.current_time()


class Shadowed:
    """An exchange whose BTC-USD is to follow a venue that is generated from `seed`."""

    def __init__(self, seed: int, instrument: Instrument) -> None:
        self.metrics = Metrics()
        self.engine = Engine()
        self.instrument = instrument
        self.partition = Partition(
            engine=self.engine,
            log=MemoryLog(),
            clock=lambda: round(trio.current_time() * 1_000_000),
            quarantine=cast(Any, frozenset()),
            metrics=self.metrics,
            input_channel_max=10_000,
            threads=InPlace(),
        )
        self.exchange = Exchange(self.partition, cast(Any, None))
        self.venue = Venue(Walk("BTCUSDT", seed))
        self.market = Market("BTCUSDT", stale_after_s=STALE_AFTER_S)
        self.grid = Grid(instrument)
        self.states: list[str] = []
        self.orders = 0
        self.shadow: Shadow

    async def start(self, nursery: trio.Nursery, earlier: Any = None, **settings: Any) -> None:
        """`earlier` is awaited before there is a shadow."""
        nursery.start_soon(self.partition.run)
        await self.exchange.submit(Configure((self.instrument,), Limits()))
        if earlier is not None:
            await earlier(self)
        terms: dict[str, Any] = {
            "quotes_client": QUOTES,
            "trades_client": TRADES,
            "levels_max": 50,
            "refill_s": REFILL_S,
            "withdraw_stale": True,
        }
        self.shadow = Shadow(
            self.exchange, self.market, self.grid, self.metrics, self._state, **(terms | settings)
        )
        memory = MemoryVenue(self.venue, nursery)
        stream = Stream(
            memory,
            self.market,
            url="ws://venue",
            silence_s_max=10.0,
            reconnect_after_s=86_400,
            metrics=self.metrics,
            listener=self.shadow.take,
            connect=memory.connect,
        )
        nursery.start_soon(stream.run)
        nursery.start_soon(self._watch)
        nursery.start_soon(self.shadow.run)

    def _state(self, state: str) -> None:
        if not self.states or self.states[-1] != state:
            self.states.append(state)

    async def _watch(self) -> None:
        """As the supervisor does: somebody has to notice that the market goes stale."""
        while True:
            await trio.sleep(0.25)
            reading = self.market.reading()
            if reading is not None and reading.stale:
                self.market.changed()

    async def until_quoting(self) -> None:
        """Wait until the house has what it should, between two steps of the venue."""
        await self.market.wait_changed(self.market.version)
        await self.quiet()

    async def quiet(self) -> None:
        """On to the next moment at which nothing is under way: the venue steps at tenths."""
        await trio.sleep(0.1 - trio.current_time() % 0.1 + 0.05)

    def resting(self, client: str = QUOTES) -> Quantities:
        """By the book itself."""
        return resting(self.engine, client)

    def shown(self, levels_max: int = 50) -> Quantities:
        """What the venue shows, on our grid."""
        reading = self.market.reading()
        assert reading is not None
        return self.grid.shown(reading, levels_max)

    def best(self, side: Side) -> int:
        """The best price in our book, which has one."""
        return next(self.engine.books[BTC].side(side).best_first()).price

    @property
    def crossed(self) -> bool:
        """Whether our best bid is at or above our best ask."""
        book = self.engine.books[BTC]
        return bool(len(book.bids) and len(book.asks)) and self.best("buy") >= self.best("sell")

    async def order(self, side: Side, quantity: int, price: int = 0, client: str = "ann") -> Record:
        """A user's order: a market order without a price."""
        self.orders += 1
        kind: Any = "limit" if price else "market"
        command = PlaceOrder(f"{client}-{self.orders}", client, BTC, side, kind, price, quantity)
        return (await self.exchange.submit(command)).record


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.fixture
def open_shadow() -> Any:
    """`async with open_shadow(seed) as shadowed`: running, on the autojump clock."""

    @asynccontextmanager
    async def open_one(
        seed: int = SEED, instrument: Instrument | None = None, **settings: Any
    ) -> AsyncIterator[Shadowed]:
        print(f"seed {seed}")  # noqa: T201
        shadowed = Shadowed(seed, instrument or define_instrument(BTC))
        async with trio.open_nursery() as nursery:
            await shadowed.start(nursery, **settings)
            yield shadowed
            nursery.cancel_scope.cancel()

    return open_one
