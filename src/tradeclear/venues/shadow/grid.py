"""Outside prices and quantities on the grid of one of our instruments, exactly.

A price between two ticks is rounded away from the middle, so that we never quote better than the
venue does; a quantity between two lots is rounded down, so that we never quote more.
"""

from itertools import islice
from typing import Final, TypeAlias

from tradeclear.core.quoting import Place
from tradeclear.model.decimals import POWERS
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import Side
from tradeclear.model.units import Lots, Ticks
from tradeclear.routing.outside import SCALE, Level, Reading

Quantities: TypeAlias = dict[Place, Lots]
"""How much there is at each side and price, the bids best first, then the asks best first."""


class Grid:
    """One instrument's grid and limits. What is outside of the limits is left out or cut down."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument: Final = instrument
        self._price: Final = (
            POWERS[instrument.price_scale],
            POWERS[SCALE] * instrument.price_step,
        )
        self._quantity: Final = (
            POWERS[instrument.quantity_scale],
            POWERS[SCALE] * instrument.quantity_step,
        )

    def shown(self, reading: Reading, levels_max: int) -> Quantities:
        """The venue's best levels, so many a side; those that share a tick here are one level."""
        return {
            **self._side("buy", islice(reading.bids.best_first(), levels_max)),
            **self._side("sell", islice(reading.asks.best_first(), levels_max)),
        }

    def _side(self, side: Side, levels: "islice[Level]") -> Quantities:
        sums: dict[Ticks, int] = {}
        for price, quantity in levels:
            ticks = self.ticks(side, price)
            sums[ticks] = sums.get(ticks, 0) + quantity
        found: Quantities = {}
        for ticks, quantity in sums.items():
            if 0 < ticks <= self.instrument.price_ticks_max:
                lots = self._within_limits(ticks, self.lots(quantity))
                if lots:
                    found[side, ticks] = lots
        return found

    def ticks(self, side: Side, price: int) -> Ticks:
        """The tick at or outside of `price`: down for bids, up for asks."""
        multiplier, divisor = self._price
        if side == "buy":
            return price * multiplier // divisor
        return -(-price * multiplier // divisor)

    def lots(self, quantity: int) -> Lots:
        """The whole lots in `quantity`."""
        multiplier, divisor = self._quantity
        return quantity * multiplier // divisor

    def taken(self, side: Side, price: int, quantity: int) -> tuple[Place, Lots] | None:
        """A resting `side` order's trade at the venue; None if no order of ours can be so small."""
        instrument = self.instrument
        ticks = self.ticks(side, price)
        if not 0 < ticks <= instrument.price_ticks_max:
            return None
        lots = self._within_limits(ticks, self.lots(quantity))
        if lots < instrument.quantity_lots_min or lots * ticks < instrument.notional_min:
            return None
        return (side, ticks), lots

    def _within_limits(self, price: Ticks, quantity: Lots) -> Lots:
        instrument = self.instrument
        return min(quantity, instrument.quantity_lots_max, instrument.notional_max // price)
