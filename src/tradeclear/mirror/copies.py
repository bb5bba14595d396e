"""Copies of books out of Redis, for a process that has nothing else: `tradeclear depth-reader`.

One connection is asked for books, and told when their top changes. How old a copy is, Redis itself
says: the exchange keeps confirming it, and the confirmation's time to live runs down.
"""

from contextlib import aclosing
from math import inf
from typing import Any, Final

import msgspec
import trio
from msgspec import Raw, Struct

from tradeclear.mirror.connection import Command, Connection, RedisUnavailable, session
from tradeclear.mirror.keys import CONFIRMED_MS, INDEX_KEY, BookKeys
from tradeclear.mirror.members import level
from tradeclear.mirror.page import TOP_LEVELS
from tradeclear.mirror.urls import shown
from tradeclear.pipeline.book_image import BookImage, BookLevel, CopyUnavailable
from tradeclear.telemetry.events import MIRROR_DOWN, MIRROR_UP
from tradeclear.telemetry.logs import log

LOOK_S: Final = 0.5
"""So often it is looked whether the copies are still confirmed."""

BACKOFF_S_FIRST: Final = 0.1
BACKOFF_S_MAX: Final = 5.0


class _Published(Struct):
    """What comes over a book's channel."""

    bids: list[tuple[Raw, Raw]]
    asks: list[tuple[Raw, Raw]]


class RedisCopies:
    """The copies in the Redis at `url`. `run` is its task."""

    def __init__(self, url: str, *, timeout_s: float, stale_after_s: float) -> None:
        self._url: Final = url
        self._timeout_s: Final = timeout_s
        self._stale_after_s: Final = stale_after_s
        self._redis: Connection | None = None
        self._index: dict[str, BookKeys] = {}
        self._tops: Final[dict[str, BookImage]] = {}
        self._stale: set[str] = set()
        self._problem = f"Redis at {shown(url)} was not reached yet"
        self._news = trio.Event()

    def names(self) -> list[str]:
        if self._redis is None:
            raise CopyUnavailable(self._problem)
        if not self._index:
            raise CopyUnavailable(f"Redis at {shown(self._url)} holds no books")
        return list(self._index)

    async def image(self, name: str, levels_max: int) -> BookImage:
        self.names()
        assert self._redis is not None
        try:
            image = await self._read(self._redis, self._index[name], levels_max)
        except RedisUnavailable as error:
            raise CopyUnavailable(f"Redis at {shown(self._url)}: {error}") from error
        except KeyError:
            raise CopyUnavailable(f"Redis holds no book of {name} any more") from None
        if image.age_s > self._stale_after_s:
            raise self._too_old(name, image.age_s)
        return image

    async def newer_top(self, name: str, than: BookImage | None) -> BookImage:
        while True:
            if name not in self.names() or name in self._stale:
                raise self._too_old(name, inf)
            top = self._tops[name]
            if top is not than:
                await trio.lowlevel.checkpoint()
                return top
            await self._news.wait()

    def _too_old(self, name: str, age_s: float) -> CopyUnavailable:
        age = f"{age_s:.1f} s ago" if age_s < CONFIRMED_MS / 1000 else "too long ago"
        return CopyUnavailable(f"the book of {name} was last confirmed {age}: is the exchange up?")

    # The task

    async def run(self) -> None:
        """Follow Redis for ever, trying again whatever is wrong with it."""
        backoff_s = BACKOFF_S_FIRST
        while True:
            started = trio.current_time()
            try:
                await session(self._url, self._timeout_s, self._follow)
            except RedisUnavailable as error:
                self._lost(str(error))
            if trio.current_time() - started > BACKOFF_S_MAX:
                backoff_s = BACKOFF_S_FIRST
            await trio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_S_MAX)

    async def _follow(self, redis: Connection) -> None:
        """Follow what is published, until the connection is lost or the index is another."""
        index = await _read_index(redis)
        await redis.subscribe([keys.channel for keys in index.values()])
        self._tops.clear()
        await self._look(redis, index)
        self._index, self._redis = index, redis
        log.info(MIRROR_UP, redis=shown(self._url), books=list(index))
        failure: RedisUnavailable | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_looking, redis, index, nursery.cancel_scope)
                await self._listen(redis, index)
        except* RedisUnavailable as group:
            failure = RedisUnavailable(str(_first(group)))
        finally:
            self._redis = None
            self._tell()
        if failure is not None:
            raise failure

    async def _keep_looking(
        self, redis: Connection, index: dict[str, BookKeys], over: trio.CancelScope
    ) -> None:
        while await _read_index(redis) == index:
            await self._look(redis, index)
            self._tell()
            await trio.sleep(LOOK_S)
        over.cancel()

    async def _look(self, redis: Connection, index: dict[str, BookKeys]) -> None:
        """Read every top that is not known yet, and see which books are stale."""
        for name, keys in index.items():
            image = await self._read(redis, keys, TOP_LEVELS)
            if image.age_s > self._stale_after_s:
                self._stale.add(name)
                self._tops.pop(name, None)
            else:
                self._stale.discard(name)
                self._tops.setdefault(name, image)

    async def _listen(self, redis: Connection, index: dict[str, BookKeys]) -> None:
        names = {keys.channel: name for name, keys in index.items()}
        if not names:
            await trio.sleep_forever()  # until there is an index
        async with aclosing(redis.messages()) as messages:
            async for channel, text in messages:
                self._tops[names[channel]] = _top(text)
                self._tell()

    async def _read(self, redis: Connection, keys: BookKeys, levels_max: int) -> BookImage:
        commands: list[Command] = [
            ("ZRANGE", keys.bids, 0, levels_max - 1),
            ("ZRANGE", keys.asks, 0, levels_max - 1),
            ("GET", keys.sequence),
            ("PTTL", keys.confirmed),
        ]
        bids, asks, sequence, left_ms = await redis.transaction(commands)
        return BookImage(
            bids=_levels(bids),
            asks=_levels(asks),
            sequence=None if sequence is None else int(sequence),
            age_s=inf if left_ms < 0 else max(0, CONFIRMED_MS - left_ms) / 1000,
        )

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _lost(self, problem: str) -> None:
        self._tops.clear()
        told = f"Redis at {shown(self._url)}: {problem}"
        if told != self._problem:
            log.warning(MIRROR_DOWN, redis=shown(self._url), problem=problem)
        self._problem = told
        self._tell()


async def _read_index(redis: Connection) -> dict[str, BookKeys]:
    [text] = await redis.transaction([("GET", INDEX_KEY)])
    books = msgspec.json.decode(text, type=list[BookKeys]) if text is not None else []
    return {keys.name: keys for keys in books}


def _levels(members: list[bytes]) -> list[BookLevel]:
    return [level(one.decode()) for one in members]


def _top(text: bytes) -> BookImage:
    """What was published, as an image."""
    published = msgspec.json.decode(text, type=_Published)

    def side(rows: list[tuple[Raw, Raw]]) -> list[BookLevel]:
        return [BookLevel(bytes(price).decode(), bytes(size).decode()) for price, size in rows]

    return BookImage(bids=side(published.bids), asks=side(published.asks))


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    """One of the exceptions in `group`."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
