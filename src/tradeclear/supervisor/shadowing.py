"""The shadow feed in the running exchange: what it is made of, when it begins and ends.

It follows what `following` follows, and may fail for ever without touching the exchange. What its
house clients left in the book when a process was killed goes before the doors open, also if the
feed is off by then.
"""

from functools import partial
from typing import Final

import trio

from tradeclear.config.settings import Settings
from tradeclear.core.engine import Engine
from tradeclear.model.errors import TradeclearError
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.partition import Partition
from tradeclear.supervisor.restarting import restarting
from tradeclear.telemetry.events import SHADOW_WITHDRAWN
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics
from tradeclear.venues.market import Market
from tradeclear.venues.messages import Message
from tradeclear.venues.shadow.grid import Grid
from tradeclear.venues.shadow.shadow import Shadow
from tradeclear.venues.shadow.withdrawal import withdraw

WITHDRAW_S_MAX: Final = 2.0
"""So long may it take at the end to cancel the house's orders; what is left goes at the start."""


class Shadowing:
    """The shadow of one market, or none. Made when the exchange is configured."""

    def __init__(
        self, settings: Settings, exchange: Exchange, market: Market | None, metrics: Metrics
    ) -> None:
        self._exchange: Final = exchange
        self._metrics: Final = metrics
        self._clients: Final = (settings.shadow_trades_client, settings.shadow_quotes_client)
        self._scope: Final = trio.CancelScope()
        self._ended: Final = trio.Event()
        self._shadow: Final = (
            self._make(settings, market)
            if settings.feed == "shadow" and market is not None
            else None
        )

    def listen(self, message: Message) -> None:
        """What the venue's stream says."""
        if self._shadow is not None:
            self._shadow.take(message)

    async def clear(self) -> None:
        """Cancel what an earlier process left in the book. Raises what `exchange.submit` does."""
        if self._exchange.peek(self._left_over):
            seq = await withdraw(self._exchange, *self._clients)
            log.info(SHADOW_WITHDRAWN, seq=seq, left_by="an earlier process")

    async def run(self, partition: Partition) -> None:
        """Shadow until `stop`, or until the partition has stopped."""
        if self._shadow is None:
            self._exchange.parts["shadow"] = "off"
            self._ended.set()
            return
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(restarting, "shadow", self._shadow.run, self._metrics)
                    await partition.stopped.wait()
                    nursery.cancel_scope.cancel()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """End it, and cancel the house's orders. The partition must still run."""
        self._scope.cancel()
        await self._ended.wait()
        if self._shadow is None:
            return
        with trio.move_on_after(WITHDRAW_S_MAX):
            try:
                seq = await withdraw(self._exchange, *self._clients)
            except TradeclearError:
                return  # the exchange has failed, which others say; the next start finds them
            log.info(SHADOW_WITHDRAWN, seq=seq, left_by="this process")

    def _left_over(self, engine: Engine) -> bool:
        return any(next(engine.orders.open_of(one), None) is not None for one in self._clients)

    def _make(self, settings: Settings, market: Market) -> Shadow:
        instrument = self._exchange.instrument(settings.shadow_instrument)
        assert instrument is not None, "the settings were checked, and are in force"
        shadow = Shadow(
            self._exchange,
            market,
            Grid(instrument),
            self._metrics,
            partial(self._exchange.parts.__setitem__, "shadow"),
            quotes_client=settings.shadow_quotes_client,
            trades_client=settings.shadow_trades_client,
            levels_max=settings.shadow_levels,
            refill_s=settings.shadow_refill_s,
            withdraw_stale=settings.shadow_when_stale == "withdraw",
        )
        gauge = self._metrics.gauge
        gauge("shadow_levels", "Prices at which the house rests.", lambda: shadow.levels)
        gauge("shadow_impact", "Prices at which users took.", lambda: len(shadow.impact))
        gauge("shadow_trades_waiting", "Its orders under way.", lambda: shadow.flow.waiting)
        return shadow
