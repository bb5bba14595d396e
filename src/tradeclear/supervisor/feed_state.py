"""How the followed market is: in the readiness, in the log, and for those who wait for it."""

from typing import Final

import trio

from tradeclear.pipeline.exchange import Exchange
from tradeclear.telemetry.events import FEED_STATE
from tradeclear.telemetry.logs import log
from tradeclear.venues.market import Market

LOOK_S: Final = 0.25
"""So often it is looked whether the market has gone stale: nothing else would say so."""


class FeedState:
    """Says `waiting`, `streaming`, `polling` or `stale` in the exchange's readiness."""

    def __init__(self, market: Market, exchange: Exchange) -> None:
        self._market: Final = market
        self._parts: Final = exchange.parts
        self._state = ""
        self._look()
        market.on_change(self._look)

    async def watch(self) -> None:
        """Notice what only time changes."""
        while True:
            was = self._state
            self._look()
            if self._state != was:
                self._market.changed()
            await trio.sleep(LOOK_S)

    def _look(self) -> None:
        was, self._state = self._state, _state(self._market)
        if self._state != was:
            self._parts["feed"] = self._state
            log.info(FEED_STATE, state=self._state, symbol=self._market.symbol)


def _state(market: Market) -> str:
    reading = market.reading()
    if reading is None:
        return "waiting"
    if reading.stale:
        return "stale"
    return "streaming" if reading.source == "stream" else "polling"
