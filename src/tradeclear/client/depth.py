"""A live book: the same as `GET /orderbook` at the same sequence, kept up in the background."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import trio

from tradeclear.client.backoff import Patience
from tradeclear.client.book import Book
from tradeclear.client.errors import ClientError
from tradeclear.client.level import Level
from tradeclear.client.messages import DepthSnapshot, DepthUpdate, Live, Message
from tradeclear.client.stream import State, Stream, StreamStatistics, open_stream
from tradeclear.client.tending import tended_nursery
from tradeclear.client.topic import Topic
from tradeclear.model.units import Seq


class Depth:
    """The book of one instrument, as far as it is known. Reading it waits for nothing.

    After a loss of the connection it shows what it knew until it has caught up: `state` tells.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream: Final = stream
        self._book: Book | None = None
        self._coming = Book()
        self._changed = trio.Event()
        self.version = 0
        """Grows with each change."""
        self._failure: ClientError | None = None

    @property
    def best_bid(self) -> Level | None:
        """The highest price that somebody pays, None if nobody does."""
        return self.book.bids.best

    @property
    def best_ask(self) -> Level | None:
        """The lowest price that somebody takes, None if nobody does."""
        return self.book.asks.best

    @property
    def sequence(self) -> Seq:
        """The book holds every change up to this command."""
        return self.book.sequence

    @property
    def state(self) -> State:
        """`live`: it is up to date, as far as the network is fast."""
        return self._stream.state

    @property
    def book(self) -> Book:
        """The whole book. It changes at every checkpoint; after a gap there may be another."""
        assert self._book is not None, "open_depth returns with a book"
        return self._book

    def levels(self, count: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best `count` bids and asks, best first."""
        return self.book.bids.top(count), self.book.asks.top(count)

    def statistics(self) -> StreamStatistics:
        """What has happened to the stream behind it."""
        return self._stream.statistics()

    async def wait_book(self) -> None:
        """Wait until there is a book. Raises what ended the stream."""
        while self._book is None:
            await self.wait_changed()

    def changes(self) -> "Changes":
        """Iterate: now, and whenever the book is another than at the last turn."""
        return Changes(self)

    async def wait_changed(self) -> None:
        """Wait for the next change from now on; what changed between two calls is not told.

        Raises what ended the stream. Cancelled, nothing is lost.
        """
        if self._failure is not None:
            raise self._failure
        await self._changed.wait()
        if self._failure is not None:
            raise self._failure

    async def wait_sequence(self, sequence: Seq) -> None:
        """Wait until the book holds every change up to `sequence`, a reply's for instance.

        For ever, if nothing changes the book from there on: a level tells of itself only.
        """
        await trio.lowlevel.checkpoint()
        while self.sequence < sequence:
            await self.wait_changed()

    async def run(self) -> None:
        """Apply what the stream tells; returns when that has failed."""
        try:
            async for message in self._stream:
                if self._take(message):
                    self._wake()
        except ClientError as error:
            self._failure = error
            self._wake()

    def _take(self, message: Message) -> bool:
        """Apply a message; whether the book is another now. A snapshot counts when it is whole."""
        if isinstance(message, DepthUpdate):
            self.book.apply(message)
        elif isinstance(message, DepthSnapshot):
            if message.part == 1:
                self._coming = Book()
            self._coming.add_part(message)
            if message.part < message.parts:
                return False
            self._book = self._coming
        elif isinstance(message, Live):
            self.book.move_to(message.sequence)
        else:
            return False
        return True

    def _wake(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = trio.Event()


class Changes:
    """An iteration over sequences of a book that are new, however much happened in between.

    Raises what ended the stream. Cancelled, nothing is lost.
    """

    def __init__(self, depth: Depth) -> None:
        self._depth: Final = depth
        self._seen = -1

    def __aiter__(self) -> "Changes":
        return self

    async def __anext__(self) -> Seq:
        while self._depth.version == self._seen:
            await self._depth.wait_changed()
        self._seen = self._depth.version
        return self._depth.sequence


@asynccontextmanager
async def open_depth(
    url: str, instrument: str, *, interval_ms: int | None = None, patience: Patience
) -> AsyncGenerator[Depth]:
    """The book of `instrument` at the exchange at `url`, ready to be read.

    Waits for the first snapshot, as long as `patience` has it. Raises what ends a stream.
    """
    topic = Topic.deltas(instrument, interval_ms=interval_ms)
    async with open_stream(url, topic, patience=patience) as stream:
        depth = Depth(stream)
        async with tended_nursery() as nursery:
            nursery.start_soon(depth.run)
            await depth.wait_book()
            yield depth
