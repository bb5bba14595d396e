"""An outside venue's order book by price level (L2), both sides best first. No I/O."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import Final

from tradeclear.routing.outside import Level

LEVELS_MAX: Final = 20_000
"""So many levels a side; beyond, the worst are forgotten."""


class BookSide:
    """One side. A level's key is minus the price for bids, so that the best is the least."""

    __slots__ = ("_keys", "_quantities", "_sign")

    def __init__(self, sign: int, levels: Iterable[Level]) -> None:
        self._sign: Final = sign
        self._quantities: Final = {price: quantity for price, quantity in levels if quantity}
        self._keys: Final = sorted(sign * price for price in self._quantities)
        self._forget_worst()

    def __len__(self) -> int:
        return len(self._keys)

    def best(self) -> Level | None:
        """The best level, None if there is none."""
        return next(self.best_first(), None)

    def best_first(self) -> Iterator[Level]:
        """All levels; good until the next change."""
        for key in self._keys:
            price = self._sign * key
            yield price, self._quantities[price]

    def put(self, levels: Iterable[Level]) -> None:
        """Set the quantity at each price; zero takes the level away."""
        for price, quantity in levels:
            if quantity:
                if price not in self._quantities:
                    insort(self._keys, self._sign * price)
                self._quantities[price] = quantity
            elif price in self._quantities:
                del self._quantities[price]
                del self._keys[bisect_left(self._keys, self._sign * price)]
        self._forget_worst()

    def _forget_worst(self) -> None:
        for key in self._keys[LEVELS_MAX:]:
            del self._quantities[self._sign * key]
        del self._keys[LEVELS_MAX:]


class Book:
    """Both sides, as they were after the venue's update `update_id`."""

    __slots__ = ("asks", "bids", "update_id")

    def __init__(self, update_id: int, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        self.update_id = update_id
        self.bids: Final = BookSide(-1, bids)
        self.asks: Final = BookSide(1, asks)

    def apply(self, update_id: int, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Set the levels that an update names to what it says."""
        self.bids.put(bids)
        self.asks.put(asks)
        self.update_id = update_id

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask, which is a sign of a wrong book."""
        bid, ask = self.bids.best(), self.asks.best()
        return bid is not None and ask is not None and bid[0] >= ask[0]
