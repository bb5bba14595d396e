"""A real Redis, and books that a test sets as it likes."""

from collections.abc import AsyncGenerator, Callable

import pytest
import trio

from tradeclear.mirror.keys import own_keys, venue_keys
from tradeclear.mirror.mirror import Mirror
from tradeclear.pipeline.book_image import BookImage, BookLevel
from tradeclear.telemetry.metrics import Metrics
from tradeclear.testing.redis_server import RedisServer, running_redis

WAIT_S_MAX = 20.0


class SetBook:
    """A book source that is what it is set to."""

    def __init__(self) -> None:
        self.now: BookImage | None = None
        self.let = trio.Event()
        """Not set: an image is begun, and not handed out yet."""
        self.let.set()
        self._told: list[Callable[[], None]] = []

    def on_change(self, told: Callable[[], None]) -> None:
        self._told.append(told)

    async def image(self, levels_max: int) -> BookImage | None:
        now = self.now
        await self.let.wait()
        return now

    def set(self, image: BookImage) -> None:
        """From now on it looks so."""
        self.now = image
        for told in self._told:
            told()


def image(sequence: int | None, bids: list[str], asks: list[str]) -> BookImage:
    """An image of levels written `price quantity [orders]`."""

    def levels(texts: list[str]) -> list[BookLevel]:
        rows = [text.split() for text in texts]
        return [BookLevel(row[0], row[1], int(row[2]) if row[2:] else None) for row in rows]

    return BookImage(sequence=sequence, bids=levels(bids), asks=levels(asks))


class Mirrored:
    """A running mirror of one own book and the venue's, and its Redis."""

    def __init__(self, redis: RedisServer) -> None:
        self.redis = redis
        self.metrics = Metrics()
        self.own = SetBook()
        self.venue = SetBook()
        self.states: list[str] = []
        self.mirror = Mirror(
            redis.url,
            {own_keys("BTC-USD"): self.own, venue_keys("BTCUSDT"): self.venue},
            self.metrics,
            self.states.append,
            interval_s=0.0,
            levels_max=1000,
            timeout_s=0.3,
        )

    async def until(self, key: str, expected: str) -> None:
        """Wait until a GET of `key` gives `expected`."""
        await self.until_true(lambda: self._is(key, expected))

    async def _is(self, key: str, expected: str) -> bool:
        return await self.redis.ask("GET", key) == expected

    async def until_true(self, asked: Callable[[], object]) -> None:
        """Wait until `asked` is true; it may be a coroutine function."""
        with trio.fail_after(WAIT_S_MAX):
            while True:
                answer = asked()
                if hasattr(answer, "__await__"):
                    answer = await answer
                if answer:
                    return
                await trio.sleep(0.005)

    async def until_state(self, beginning: str) -> None:
        """Wait until the mirror says so of itself."""
        await self.until_true(lambda: self.mirror.state.startswith(beginning))

    async def zset(self, key: str) -> list[str]:
        """All members, in order."""
        return (await self.redis.ask("ZRANGE", key, "0", "-1")).split()


@pytest.fixture
async def redis() -> AsyncGenerator[RedisServer]:
    async with running_redis() as server:
        yield server


@pytest.fixture
async def mirrored(redis: RedisServer, nursery: trio.Nursery) -> AsyncGenerator[Mirrored]:
    """Runs for as long as the test."""
    made = Mirrored(redis)
    nursery.start_soon(made.mirror.run)
    yield made
    nursery.cancel_scope.cancel()
