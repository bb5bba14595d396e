"""An L2 book: price levels, kept from a snapshot and what changed since. No socket, no clock."""

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from tradeclear.client.level import Level
from tradeclear.client.messages import DepthSnapshot, DepthUpdate
from tradeclear.model.units import Seq


class Ladder:
    """One side of a book."""

    def __init__(self, *, best_is_highest: bool) -> None:
        self._best_is_highest: Final = best_is_highest
        self._levels: Final[dict[Decimal, Level]] = {}
        self._prices: list[Decimal] = []  # ascending

    def __len__(self) -> int:
        return len(self._prices)

    @property
    def best(self) -> Level | None:
        """The level that trades first, None if the side is empty."""
        if not self._prices:
            return None
        return self._levels[self._prices[-1 if self._best_is_highest else 0]]

    def top(self, count: int) -> tuple[Level, ...]:
        """At most `count` levels, best first."""
        if self._best_is_highest:
            best = self._prices[-count:][::-1] if count else []
        else:
            best = self._prices[:count]
        return tuple(self._levels[price] for price in best)

    def add(self, levels: Iterable[Level]) -> None:
        """Take many levels at once, as snapshots have them."""
        self._levels.update((level.price, level) for level in levels)
        self._prices = sorted(self._levels)

    def set(self, level: Level) -> None:
        """Take a level's new total; quantity 0 takes it out."""
        known = level.price in self._levels
        if level.quantity:
            self._levels[level.price] = level
            if not known:
                insort(self._prices, level.price)
        elif known:
            del self._levels[level.price]
            del self._prices[bisect_left(self._prices, level.price)]


class Book:
    """Both sides, as they were after the command `sequence`.

    `complete` false: levels behind the worst one of the snapshot are not known until they change.
    """

    def __init__(self) -> None:
        self.bids: Final = Ladder(best_is_highest=True)
        self.asks: Final = Ladder(best_is_highest=False)
        self.sequence: Seq = 0
        self.complete = True

    def add_part(self, snapshot: DepthSnapshot) -> None:
        """Take a part of the snapshot that the book begins with."""
        self.bids.add(snapshot.bids)
        self.asks.add(snapshot.asks)
        self.sequence = snapshot.sequence
        self.complete = snapshot.complete

    def apply(self, update: DepthUpdate) -> None:
        """Take what changed."""
        for level in update.bids:
            self.bids.set(level)
        for level in update.asks:
            self.asks.set(level)
        self.sequence = update.sequence

    def move_to(self, sequence: Seq) -> None:
        """Nothing changed up to `sequence`."""
        self.sequence = max(self.sequence, sequence)
