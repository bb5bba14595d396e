"""An outside market as it is known here: what was streamed, what was polled, how fresh it is."""

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

import trio

from tradeclear.model.decimals import render
from tradeclear.pipeline.book_image import BookImage, BookLevel
from tradeclear.routing.outside import SCALE, Levels, Reading, Source
from tradeclear.venues.book import Book
from tradeclear.venues.messages import Snapshot

MISSING_MAX: Final = 1_000


class Market:
    """The books of one symbol. Nobody but the feed's tasks changes it.

    A book's age is the time since it was last brought up to date, or a poll knew nothing newer. A
    streamed book that lacks what a poll has seen is as old as that poll: so a stream that lags or
    has silently ended shows.
    """

    def __init__(self, symbol: str, *, stale_after_s: float) -> None:
        self.symbol: Final = symbol
        self.version = 0
        self._stale_after_s: Final = stale_after_s
        self._changed = trio.Event()
        self._told: Final[list[Callable[[], None]]] = []
        self._streamed: Book | None = None
        self._streamed_at = 0.0
        self._missing: Final[deque[tuple[int, float]]] = deque()
        """Updates that polls have seen and the stream has not, and when they were asked for."""
        self._polled: Book | None = None
        self._polled_at = 0.0

    def streamed(self, book: Book, at: float | None = None) -> None:
        """The stream's book was brought up to date `at`, or just now; it may be the same."""
        self._streamed = book
        self._streamed_at = trio.current_time() if at is None else at
        while self._missing and self._missing[0][0] <= book.update_id:
            self._missing.popleft()
        self.changed()

    def distrust_stream(self) -> None:
        """The stream's book turned out to be wrong."""
        self._streamed = None
        self.changed()

    def polled(self, snapshot: Snapshot, asked_at: float) -> None:
        """A poll that was sent at `asked_at` was answered.

        One that knows less than the last is not taken while that is fresh: a venue answers from
        several machines, and not all are equally quick.
        """
        known = self._poll_reading()
        if known is not None and snapshot.update_id < known.update_id and not known.stale:
            return
        self._polled = Book(snapshot.update_id, snapshot.bids, snapshot.asks)
        self._polled_at = asked_at
        if self._streamed is None or self._streamed.update_id >= snapshot.update_id:
            self._missing.clear()  # and what was streamed was the newest when that was asked
            self._streamed_at = max(self._streamed_at, asked_at)
        elif len(self._missing) < MISSING_MAX:
            self._missing.append((snapshot.update_id, asked_at))
        self.changed()

    def reading(self) -> Reading | None:
        """The streamed book if it is fresh, else the polled one if that is, else the younger."""
        streamed, polled = self._stream_reading(), self._poll_reading()
        if streamed is None or polled is None:
            return streamed or polled
        if streamed.stale and (not polled.stale or polled.age_s < streamed.age_s):
            return polled
        return streamed

    def _stream_reading(self) -> Reading | None:
        if self._streamed is None:
            return None
        at = self._streamed_at
        if self._missing:
            at = min(at, self._missing[0][1])
        return self._reading("stream", self._streamed, at)

    def _poll_reading(self) -> Reading | None:
        if self._polled is None:
            return None
        return self._reading("poll", self._polled, self._polled_at)

    def _reading(self, source: Source, book: Book, at: float) -> Reading:
        age_s = trio.current_time() - at
        stale = age_s > self._stale_after_s
        return Reading(source, book.update_id, age_s, stale, book.bids, book.asks)

    def changed(self) -> None:
        """Tell everybody who wants to know."""
        self.version += 1
        self._changed.set()
        self._changed = trio.Event()
        for told in self._told:
            told()

    async def wait_changed(self, version: int) -> None:
        """Return once `version` is no longer the newest."""
        while self.version == version:
            await self._changed.wait()

    def on_change(self, told: Callable[[], None]) -> None:
        """Have `told` called at every change. It is quick and does not raise."""
        self._told.append(told)

    async def image(self, levels_max: int) -> BookImage | None:
        """A copy of the best levels; None while nothing is known."""
        await trio.lowlevel.checkpoint()
        reading = self.reading()
        if reading is None:
            return None
        return BookImage(
            bids=_texts(reading.bids, levels_max),
            asks=_texts(reading.asks, levels_max),
            sequence=reading.update_id,
            age_s=reading.age_s,
        )


def _texts(levels: Levels, levels_max: int) -> list[BookLevel]:
    return [
        BookLevel(render(price, SCALE), render(quantity, SCALE))
        for price, quantity in islice(levels.best_first(), levels_max)
    ]
