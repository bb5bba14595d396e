"""The order book asked for again and again: at start and every few seconds."""

from typing import Final

import trio

from tradeclear.telemetry.events import FEED_POLL_FAILED, FEED_POLL_RETRIED
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics
from tradeclear.venues.backoff import Backoff
from tradeclear.venues.binance import Snapshots
from tradeclear.venues.errors import VenueBusy, VenueRefused, VenueUnavailable
from tradeclear.venues.market import Market

LEVELS: Final = 20
RETRIES_MAX: Final = 3
BACKOFF_S_FIRST: Final = 0.25
BACKOFF_S_MAX: Final = 2.0


class Poller:
    """Keeps the market's polled book up to date."""

    def __init__(
        self, snapshots: Snapshots, market: Market, *, interval_s: float, metrics: Metrics
    ) -> None:
        self._snapshots: Final = snapshots
        self._market: Final = market
        self._interval_s: Final = interval_s
        self._metrics: Final = metrics

    async def run(self) -> None:
        """Poll for ever; a poll that failed is logged, and the next one comes at its time."""
        while True:
            due = trio.current_time() + self._interval_s
            await self.poll()
            await trio.sleep_until(due)

    async def poll(self) -> bool:
        """One poll with its retries. False if none succeeded."""
        backoff = Backoff(BACKOFF_S_FIRST, BACKOFF_S_MAX)
        for retries_left in reversed(range(RETRIES_MAX + 1)):
            asked_at = trio.current_time()
            try:
                snapshot = await self._snapshots.depth(LEVELS)
            except (VenueUnavailable, VenueRefused) as error:
                self._metrics.feed_polls["failed"] += 1
                if not retries_left or isinstance(error, VenueBusy | VenueRefused):
                    log.error(FEED_POLL_FAILED, problem=str(error))
                    return False
                wait_s = backoff.next_s()
                log.warning(FEED_POLL_RETRIED, problem=str(error), again_in_s=wait_s)
                await trio.sleep(wait_s)
            else:
                self._metrics.feed_polls["answered"] += 1
                self._market.polled(snapshot, asked_at)
                return True
        raise AssertionError("the last try returns")
