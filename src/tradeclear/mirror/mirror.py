"""The mirror: keeps copies of books in Redis, and never keeps anyone waiting.

At most one write is under way. What changes meanwhile is only noted as changed: the next write
takes the book as it is then, so nothing piles up however slow Redis is, and the newest state wins.
After every connection the copies are written whole. Books say of themselves what may be told:
ours wait until what they show is durable.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import inf, nan
from secrets import token_hex
from time import perf_counter
from typing import Final

import msgspec
import trio

from tradeclear.mirror.connection import Connection, RedisUnavailable, session
from tradeclear.mirror.keys import INDEX_KEY, WRITER_KEY, BookKeys
from tradeclear.mirror.page import Page
from tradeclear.mirror.urls import shown
from tradeclear.pipeline.ports import BookSource
from tradeclear.telemetry.events import MIRROR_DOWN, MIRROR_RESTORED, MIRROR_UP
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics

CONFIRM_S: Final = 1.0
"""So often a book is said to be current although it did not change."""

BACKOFF_S_FIRST: Final = 0.1
BACKOFF_S_MAX: Final = 5.0


class Mirror:
    """Copies of `books` in the Redis at `url`. `run` is its task.

    `tell` is told how it stands, in a few words, whenever that changes.
    """

    def __init__(
        self,
        url: str,
        books: Mapping[BookKeys, BookSource],
        metrics: Metrics,
        tell: Callable[[str], None] = lambda state: None,
        *,
        interval_s: float,
        levels_max: int,
        timeout_s: float,
    ) -> None:
        self._url: Final = url
        self._tell: Final = tell
        self._metrics: Final = metrics
        self._interval_s: Final = interval_s
        self._levels_max: Final = levels_max
        self._timeout_s: Final = timeout_s
        self._writer = ""
        self._pages: Final = {Page(keys): book for keys, book in books.items()}
        self._changed: set[Page] = set(self._pages)
        self._wake = trio.Event()
        self._down_since: float | None = None
        self._confirmed_at: float | None = None
        self._ending = False
        self._ended = trio.Event()
        self._say("connecting")
        for page, book in self._pages.items():
            book.on_change(partial(self._note, page))

    @property
    def connected(self) -> bool:
        """Whether the copies are kept up to date now."""
        return self.state == "current"

    @property
    def age_s(self) -> float:
        """For how long the copies have not been confirmed; NaN if they never were."""
        if self._confirmed_at is None:
            return nan
        return trio.current_time() - self._confirmed_at

    async def run(self) -> None:
        """Mirror until `finish` is called. Whatever is wrong with Redis, it is tried again."""
        backoff_s = BACKOFF_S_FIRST
        while True:
            started = trio.current_time()
            try:
                await session(self._url, self._timeout_s, self._keep)
            except RedisUnavailable as error:
                self._lost(str(error))
            if self._ending:
                break
            if trio.current_time() - started > BACKOFF_S_MAX:
                backoff_s = BACKOFF_S_FIRST
            await trio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_S_MAX)
        self._ended.set()

    async def finish(self) -> None:
        """Write everything once more, if Redis is there, and have `run` return.

        Cancelled, `run` goes on until it is cancelled too.
        """
        self._ending = True
        self._wake.set()
        if self.connected:
            await self._ended.wait()

    def _note(self, page: Page) -> None:
        self._changed.add(page)
        self._wake.set()

    async def _keep(self, redis: Connection) -> None:
        """Keep the copies up to date over one connection, until `finish` is called."""
        confirm_at = -inf
        whole = True
        while True:
            started = trio.current_time()
            ending = self._ending
            if whole:
                await self._begin(redis)
            changed, self._changed = self._changed, set()
            if started >= confirm_at or ending:
                changed, confirm_at = set(self._pages), started + CONFIRM_S
            whole = not await self._write(redis, changed)
            if whole:
                log.warning(MIRROR_RESTORED, redis=shown(self._url))
            elif ending:
                return
            else:
                self._found()
            await self._pause(started + self._interval_s, confirm_at)

    async def _pause(self, least: float, most: float) -> None:
        """Wait until `least`, and then until something changed or `most` has come."""
        if self._ending:
            await trio.lowlevel.checkpoint()
            return
        await trio.sleep_until(least)
        with trio.move_on_at(most):
            while not self._changed and not self._ending:
                self._wake = trio.Event()
                await self._wake.wait()

    async def _begin(self, redis: Connection) -> None:
        """Say who writes what; every book is to be written whole."""
        self._writer = token_hex(8)
        index = msgspec.json.encode([page.keys for page in self._pages]).decode()
        await redis.transaction([("SET", WRITER_KEY, self._writer), ("SET", INDEX_KEY, index)])
        for page in self._pages:
            page.forget()
        self._changed = set(self._pages)

    async def _write(self, redis: Connection, pages: set[Page]) -> bool:
        """Bring `pages` up to date; false if they are not what was left there."""
        for page in pages:
            image = await self._pages[page].image(self._levels_max)
            if image is None:
                continue
            self._metrics.mirror_rebuilds += not page.known
            started = perf_counter()
            replies = await redis.transaction([*page.commands(image), ("GET", WRITER_KEY)])
            self._metrics.mirror_write_s.observe(perf_counter() - started)
            *_, bids, asks, writer = replies
            if writer is not None and writer.decode() != self._writer:
                raise RedisUnavailable(
                    "another exchange writes into this Redis database: give each its own"
                )
            if not page.written(image, (bids, asks)) or writer is None:
                return False
        self._confirmed_at = trio.current_time()
        return True

    def _found(self) -> None:
        if self.connected:
            return
        seconds = 0.0 if self._down_since is None else trio.current_time() - self._down_since
        log.info(MIRROR_UP, redis=shown(self._url), after_s=round(seconds, 3))
        self._down_since = None
        self._say("current")

    def _lost(self, problem: str) -> None:
        self._metrics.mirror_failures += 1
        state = f"down: {problem}"
        if state != self.state:
            log.warning(MIRROR_DOWN, redis=shown(self._url), problem=problem)
        if self._down_since is None:
            self._down_since = trio.current_time()
        self._say(state)

    def _say(self, state: str) -> None:
        self.state = state
        """How it stands, in a few words."""
        self._tell(state)
