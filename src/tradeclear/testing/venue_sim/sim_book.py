"""The book that the simulator's REST side shows: obvious and slow, unlike what it is to test."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

Pair = tuple[str, str]
"""Price and quantity as they are written."""


class SimBook:
    """Levels as texts, after the update `update_id`."""

    def __init__(self, update_id: int, bids: Iterable[Pair], asks: Iterable[Pair]) -> None:
        self.update_id = update_id
        self._bids: Final = dict(bids)
        self._asks: Final = dict(asks)

    def apply(self, last: int, bids: Iterable[Pair], asks: Iterable[Pair]) -> None:
        """Take in a diff that ends with `last`, unless the book has it already."""
        if last <= self.update_id:
            return
        self.update_id = last
        for side, levels in ((self._bids, bids), (self._asks, asks)):
            for price, quantity in levels:
                if Decimal(quantity):
                    side[price] = quantity
                else:
                    side.pop(price, None)

    def bids(self, most: int) -> list[Pair]:
        """The best bids, best first."""
        return sorted(self._bids.items(), key=lambda level: -Decimal(level[0]))[:most]

    def asks(self, most: int) -> list[Pair]:
        """The best asks, best first."""
        return sorted(self._asks.items(), key=lambda level: Decimal(level[0]))[:most]
