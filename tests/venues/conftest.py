"""A simulated venue in memory, our feed on it, and a witness who knows what its book was when."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from math import inf
from typing import Any

import pytest
import trio

from tradeclear.routing.outside import Level, Levels
from tradeclear.telemetry.metrics import Metrics
from tradeclear.testing.venue_sim.memory import MemoryVenue
from tradeclear.testing.venue_sim.published import Published, SimSource
from tradeclear.testing.venue_sim.sim_book import SimBook
from tradeclear.testing.venue_sim.venue import Venue
from tradeclear.testing.venue_sim.walk import Walk
from tradeclear.venues.market import Market
from tradeclear.venues.messages import read_levels
from tradeclear.venues.poller import Poller
from tradeclear.venues.stream import Stream

SEED = 20240808
TOP = 10
STALE_AFTER_S = 5.0
SILENCE_S = 10.0
SLACK_S = 0.2
"""Two steps of the generated market: a diff tells of the tenth of a second before it."""

Top = tuple[list[Level], list[Level]]


class Witness:
    """A market, and what its top was after each update, and when that was published."""

    def __init__(self, source: SimSource) -> None:
        self.source = source
        self.tops: dict[int, Top] = {}
        self.updates: list[int] = []
        self.published_at: list[float] = []

    @property
    def symbol(self) -> str:
        return self.source.symbol

    def book(self) -> SimBook:
        return self.source.book()

    def messages(self) -> Iterator[Published]:
        book = self.book()
        self._note(book, 0.0)
        for message in self.source.messages():
            if message.diff is not None:
                book.apply(message.diff.last, message.diff.bids, message.diff.asks)
                self._note(book, message.at_s)
            yield message

    def _note(self, book: SimBook, at_s: float) -> None:
        self.tops[book.update_id] = (read_levels(book.bids(TOP)), read_levels(book.asks(TOP)))
        self.updates.append(book.update_id)
        self.published_at.append(at_s)

    def newest_before(self, at_s: float) -> int:
        """The last update that was published by then."""
        return self.updates[bisect_right(self.published_at, at_s) - 1]

    def followed_at(self, update_id: int) -> float:
        """When the next update was published; infinity if it was not."""
        index = bisect_right(self.updates, update_id)
        return self.published_at[index] if index < len(self.updates) else inf


class Feed:
    """The feed on a simulated venue. `check` looks at what it shows now."""

    def __init__(self, witness: Witness, venue: Venue) -> None:
        self.witness = witness
        self.venue = venue
        self.metrics = Metrics()
        self.market = Market(venue.symbol, stale_after_s=STALE_AFTER_S)
        self.begun = trio.current_time()
        self.sources: set[str] = set()
        self.stale_seen = 0

    def start(self, nursery: trio.Nursery, *, reconnect_after_s: float = 86_400) -> None:
        memory = MemoryVenue(self.venue, nursery)
        stream = Stream(
            memory,
            self.market,
            url="ws://venue",
            silence_s_max=SILENCE_S,
            reconnect_after_s=reconnect_after_s,
            metrics=self.metrics,
            connect=memory.connect,
        )
        poller = Poller(memory, self.market, interval_s=2, metrics=self.metrics)
        self.stream = stream
        nursery.start_soon(stream.run)
        nursery.start_soon(poller.run)

    def check(self) -> None:
        """What is shown as fresh is right and is fresh; what is not fresh is marked."""
        reading = self.market.reading()
        if reading is None:
            return
        shown = (top(reading.bids), top(reading.asks))
        assert reading.update_id in self.witness.tops, "a book that never was"
        assert shown == self.witness.tops[reading.update_id], "a wrong book"
        if reading.stale:
            self.stale_seen += 1
            return
        self.sources.add(reading.source)
        # The first update that it lacks must not be older than what may be called fresh.
        lacking_s = trio.current_time() - self.begun - self.witness.followed_at(reading.update_id)
        assert lacking_s <= STALE_AFTER_S + SLACK_S, "old, and not marked as stale"

    async def watch(self, seconds: float) -> None:
        """Look ten times a second for so long."""
        for _ in range(round(seconds * 10)):
            await trio.sleep(0.1)
            self.check()

    def assert_in_step(self) -> None:
        """It shows the stream's book, up to the last update."""
        reading = self.market.reading()
        assert reading is not None
        assert (reading.source, reading.stale) == ("stream", False)
        newest = self.witness.newest_before(trio.current_time() - self.begun - SLACK_S)
        assert reading.update_id >= newest


def top(levels: Levels) -> tuple[Level, ...]:
    return tuple(islice(levels.best_first(), TOP))


@pytest.fixture
def open_feed() -> Any:
    """`async with open_feed(seed) as feed`: on a generated market, on the autojump clock."""

    @asynccontextmanager
    async def open_one(seed: int = SEED, **settings: Any) -> AsyncIterator[Feed]:
        print(f"seed {seed}")  # noqa: T201
        witness = Witness(Walk("BTCUSDT", seed))
        feed = Feed(witness, Venue(witness))
        async with trio.open_nursery() as nursery:
            feed.start(nursery, **settings)
            yield feed
            nursery.cancel_scope.cancel()

    return open_one
