"""The outside market that is followed: what it consists of, and the tasks that keep it going.

Whatever Binance does, or the way to it, ends in one of these tasks and nowhere else.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from tradeclear.config.load import SettingsError
from tradeclear.config.settings import Settings
from tradeclear.mirror.keys import BookKeys, venue_keys
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.partition import Partition
from tradeclear.pipeline.ports import BookSource
from tradeclear.supervisor.feed_state import FeedState
from tradeclear.supervisor.restarting import restarting
from tradeclear.telemetry.metrics import Metrics
from tradeclear.venues.copies import MarketCopies
from tradeclear.venues.market import Market
from tradeclear.venues.messages import Message

if TYPE_CHECKING:
    from tradeclear.venues.binance import Binance


class Following:
    """`market` is None if none is followed. Made early: what it imports is much."""

    def __init__(self, settings: Settings) -> None:
        """Raises `SettingsError` if what it needs is not installed."""
        self._settings: Final = settings
        self._binance: Final = _binance(settings) if settings.feed != "off" else None
        self.market: Final = _market(settings) if settings.feed != "off" else None
        self.copies: Final = MarketCopies(self.market)

    @property
    def books(self) -> Mapping[BookKeys, BookSource]:
        """What of it is mirrored, and where."""
        return {} if self.market is None else {venue_keys(self.market.symbol): self.market}

    async def run(
        self,
        exchange: Exchange,
        partition: Partition,
        metrics: Metrics,
        listener: Callable[[Message], None],
    ) -> None:
        """Follow the market until the partition has stopped; `listener` hears the stream."""
        if self.market is None or self._binance is None:
            exchange.parts["feed"] = "off"
            return
        from tradeclear.venues.poller import Poller
        from tradeclear.venues.stream import Stream

        settings = self._settings
        poller = Poller(
            self._binance, self.market, interval_s=settings.feed_poll_interval_s, metrics=metrics
        )
        stream = Stream(
            self._binance,
            self.market,
            url=settings.feed_stream_url,
            silence_s_max=settings.feed_silence_s,
            reconnect_after_s=settings.feed_reconnect_after_s,
            metrics=metrics,
            listener=listener,
        )
        state = FeedState(self.market, exchange)
        gauge = metrics.gauge
        gauge("feed_age_seconds", "Age of the outside book.", partial(_age_s, self.market))
        gauge("feed_compared", "Times the stream was found right.", lambda: stream.compared)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(restarting, "feed_poller", poller.run, metrics)
            nursery.start_soon(restarting, "feed_stream", stream.run, metrics)
            nursery.start_soon(restarting, "feed_state", state.watch, metrics)
            await partition.stopped.wait()
            nursery.cancel_scope.cancel()


def _age_s(market: Market) -> float:
    reading = market.reading()
    return float("nan") if reading is None else reading.age_s


def _market(settings: Settings) -> Market:
    symbol = settings.feed_symbol.replace("/", "")
    return Market(symbol, stale_after_s=settings.feed_stale_after_s)


def _binance(settings: Settings) -> "Binance":
    try:
        import tradeclear.venues.stream  # noqa: F401
        from tradeclear.venues.binance import Binance

        return Binance(settings.feed_symbol, url=settings.feed_rest_url)
    except ImportError as error:
        raise SettingsError(
            f"feed: {settings.feed} needs the extra `binance` "
            f"(pip install 'tradeclear[binance]'): {error}"
        ) from error
