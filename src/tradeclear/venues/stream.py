"""Binance's streams of one symbol followed for ever: diffs, best levels, trades."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from tradeclear.telemetry.events import (
    FEED_CONNECTED,
    FEED_IN_STEP,
    FEED_LOST_STEP,
    FEED_MESSAGE_UNREADABLE,
    FEED_RECONNECTING,
    FEED_SNAPSHOT_FAILED,
    FEED_SNAPSHOT_TOO_OLD,
)
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics
from tradeclear.venues.backoff import Backoff
from tradeclear.venues.binance import Snapshots
from tradeclear.venues.book import Book
from tradeclear.venues.errors import VenueBusy, VenueRefused, VenueUnavailable
from tradeclear.venues.market import Market
from tradeclear.venues.messages import Diff, Message, MessageUnreadable, Ticker, read_message
from tradeclear.venues.synchronizer import LOST, WRONG, Synchronizer
from tradeclear.venues.web_socket import connect_socket

URL: Final = "wss://stream.binance.com:9443"
KINDS: Final = ("depth@100ms", "bookTicker", "trade")
SNAPSHOT_LEVELS: Final = 1_000
BACKOFF_S_FIRST: Final = 0.5
BACKOFF_S_MAX: Final = 10.0
FIRST_DIFF_S_MAX: Final = 2.0
"""So long is a first diff waited for, so that the snapshot is not older than what follows it."""
SHOWN_CHARS_MAX: Final = 200

Listener = Callable[[Message], None]
Connect = Callable[[str], AbstractAsyncContextManager[WebSocketConnection]]


class Stream:
    """Keeps the market's streamed book up to date; `listener` is told every message."""

    def __init__(
        self,
        snapshots: Snapshots,
        market: Market,
        *,
        url: str = URL,
        silence_s_max: float,
        reconnect_after_s: float,
        metrics: Metrics,
        listener: Listener = lambda message: None,
        connect: Connect = connect_socket,
    ) -> None:
        self._snapshots: Final = snapshots
        self._market: Final = market
        self._url: Final = stream_url(url, market.symbol)
        self._silence_s_max: Final = silence_s_max
        self._reconnect_after_s: Final = reconnect_after_s
        self._metrics: Final = metrics
        self._listener: Final = listener
        self._connect: Final = connect
        self._backoff: Final = Backoff(BACKOFF_S_FIRST, BACKOFF_S_MAX)
        self._synchronizer: Final = Synchronizer()
        self._diff_came = trio.Event()
        self._lost = trio.Event()

    @property
    def book(self) -> Book | None:
        """The book while it is in step."""
        return self._synchronizer.book

    @property
    def compared(self) -> int:
        """How often the book was held against the venue's own best levels, and found equal."""
        return self._synchronizer.compared

    async def run(self) -> None:
        """Follow the stream for ever, over as many connections as it takes."""
        while True:
            problem = await self._follow()
            # The venue ends every connection after 24 h, and may be left earlier without harm.
            wait_s = 0.0 if problem is None else self._backoff.next_s()
            log.warning(
                FEED_RECONNECTING, problem=problem or "the connection's time", again_in_s=wait_s
            )
            self._metrics.feed_reconnects += 1
            await trio.sleep(wait_s)

    async def _follow(self) -> str | None:
        """One connection. Returns why it ended; None if only its time was over."""
        problem: str | None = None
        with trio.move_on_after(self._reconnect_after_s):
            try:
                async with self._connect(self._url) as socket:
                    log.info(FEED_CONNECTED, url=self._url)
                    problem = await self._converse(socket)
            except VenueUnavailable as error:
                problem = str(error)
        return problem

    async def _converse(self, socket: WebSocketConnection) -> str:
        """Take in what comes, and get back in step whenever that is needed."""
        self._synchronizer.begin_again()
        self._lost.set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_in_step)
            problem = await self._read(socket)
            nursery.cancel_scope.cancel()
        return problem

    async def _read(self, socket: WebSocketConnection) -> str:
        """Take in messages until there are no more. Returns why."""
        while True:
            text: str | bytes | None = None
            try:
                with trio.move_on_after(self._silence_s_max):
                    text = await socket.get_message()
            except ConnectionClosed as error:
                return f"the connection was closed: {error.reason}"
            if text is None:
                return f"nothing was heard for {self._silence_s_max:g} s"
            self._take(text)

    def _take(self, text: str | bytes) -> None:
        try:
            message = read_message(text)
        except MessageUnreadable as error:
            self._metrics.feed_messages["unreadable"] += 1
            log.warning(FEED_MESSAGE_UNREADABLE, problem=str(error)[:SHOWN_CHARS_MAX])
            return
        if message is None:
            return
        self._metrics.feed_messages[type(message).__name__.lower()] += 1
        if isinstance(message, Diff):
            self._take_diff(message)
        elif isinstance(message, Ticker):
            self._synchronizer.take_ticker(message)
        self._listener(message)

    def _take_diff(self, diff: Diff) -> None:
        step = self._synchronizer.take(diff)
        if step == "applied":
            assert self._synchronizer.book is not None
            self._market.streamed(self._synchronizer.book)
        elif step in LOST:
            self._metrics.feed_resyncs[step] += 1
            log.warning(FEED_LOST_STEP, why=step, first=diff.first, last=diff.last)
            if step in WRONG:
                self._market.distrust_stream()
            self._lost.set()
        self._diff_came.set()

    async def _keep_in_step(self) -> None:
        """Whenever the book is lost, begin it again from a snapshot."""
        while True:
            await self._lost.wait()
            self._lost = trio.Event()
            backoff = Backoff(BACKOFF_S_FIRST, BACKOFF_S_MAX)
            begun = await self._begin_from_snapshot()
            while not begun:
                await trio.sleep(backoff.next_s())
                begun = await self._begin_from_snapshot()

    async def _begin_from_snapshot(self) -> bool:
        """Ask for a snapshot and begin from it; False if that has to be tried again."""
        if not self._synchronizer.has_diffs:
            self._diff_came = trio.Event()
            with trio.move_on_after(FIRST_DIFF_S_MAX):
                await self._diff_came.wait()
        asked_at = trio.current_time()
        try:
            snapshot = await self._snapshots.depth(SNAPSHOT_LEVELS)
        except (VenueUnavailable, VenueRefused) as error:
            log.warning(FEED_SNAPSHOT_FAILED, problem=str(error))
            if isinstance(error, VenueBusy):
                await trio.sleep(error.retry_after_s)
            return False
        if not self._synchronizer.take_snapshot(snapshot):
            log.info(FEED_SNAPSHOT_TOO_OLD, update_id=snapshot.update_id)
            return False
        book = self._synchronizer.book
        assert book is not None
        # With a diff on top it is of now, without one no younger than the question.
        self._market.streamed(book, asked_at if book.update_id == snapshot.update_id else None)
        self._backoff.reset()
        log.info(FEED_IN_STEP, update_id=book.update_id)
        return True


def stream_url(url: str, symbol: str) -> str:
    """The combined stream of all that is followed of `symbol`."""
    name = symbol.lower()
    streams = "/".join(f"{name}@{kind}" for kind in KINDS)
    return f"{url.rstrip('/')}/stream?streams={streams}"
