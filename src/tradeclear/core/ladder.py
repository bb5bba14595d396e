"""One side of an order book: price levels, best last, each a queue in order of arrival.

A level's queue is a dict of numbered places. Places are given out in ascending order and dicts keep
insertion order, so that the oldest order, any order by its place, and the whole queue in order are
each one step away, cancels leave no tombstones, and the collector has nothing to visit.

Levels are found by *key*: the price for bids, minus the price for asks, so that on both sides the
best key is the greatest and one piece of code serves both. The keys are a sorted list. Quotes flash
in and out all the time, so a level that empties below the best one stays in the list, to be filled
again or swept later; the last key always has orders.
"""

from bisect import insort
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from tradeclear.core.lifecycle import Order
from tradeclear.model.order import Side
from tradeclear.model.units import Lots, Ticks

EMPTY_LEVELS_MAX: Final = 64
"""So many emptied levels are kept, or as many as there are with orders, whichever is more."""


class Level(Struct, gc=False):
    """The orders at one price. `first` is the oldest one's place (or a bound below it)."""

    price: Ticks
    quantity: Lots
    first: int
    next: int
    queue: dict[int, Order]


class Ladder:
    """The levels of one side of a book."""

    __slots__ = ("_empty", "keys", "levels", "side", "sign")

    def __init__(self, side: Side) -> None:
        self.side: Side = side
        self.sign: Final = 1 if side == "buy" else -1
        self.keys: Final[list[int]] = []
        self.levels: Final[dict[int, Level]] = {}
        self._empty = 0

    def rest(self, order: Order) -> Level:
        """Put `order` at the back of its level. Returns the level."""
        key = order.price * self.sign
        level = self.levels.get(key)
        if level is None:
            self.levels[key] = level = Level(order.price, 0, 0, 0, {})
            insort(self.keys, key)
        elif not level.queue:
            self._empty -= 1
        place = order.place = level.next
        level.next = place + 1
        level.queue[place] = order
        level.quantity += order.remaining
        return level

    def remove(self, order: Order) -> Level:
        """Take a resting `order` out, wherever it stands. Returns its level, maybe empty now."""
        key = order.price * self.sign
        level = self.levels[key]
        place = order.place
        del level.queue[place]
        level.quantity -= order.remaining
        if not level.queue:
            self.emptied(key)
        elif place == level.first:
            level.first = place + 1
        return level

    def emptied(self, key: int) -> None:
        """Note that the level of `key` has lost its last order."""
        keys, levels = self.keys, self.levels
        if key != keys[-1]:
            self._empty += 1
            if self._empty > EMPTY_LEVELS_MAX and self._empty > len(keys) // 2:
                self._sweep()
            return
        keys.pop()
        del levels[key]
        while keys and not levels[keys[-1]].queue:
            del levels[keys.pop()]
            self._empty -= 1

    def _sweep(self) -> None:
        levels = self.levels
        for key in self.keys:
            if not levels[key].queue:
                del levels[key]
        self.keys[:] = [key for key in self.keys if key in levels]
        self._empty = 0

    def level(self, price: Ticks) -> Level | None:
        """The level of `price`, if any order rests there."""
        level = self.levels.get(price * self.sign)
        return level if level is not None and level.queue else None

    def best_first(self) -> Iterator[Level]:
        """Every level with orders, best price first. The ladder must not change meanwhile."""
        levels = self.levels
        for key in reversed(self.keys):
            level = levels[key]
            if level.queue:
                yield level

    def __len__(self) -> int:
        """How many levels have orders."""
        return len(self.keys) - self._empty

    def assert_consistent(self) -> None:
        """Check the ladder's own promises. For tests: walks everything."""
        assert self.keys == sorted(self.levels), "keys and levels differ"
        assert not self.keys or self.levels[self.keys[-1]].queue, "the best level is empty"
        assert self._empty == sum(not level.queue for level in self.levels.values())
        for key, level in self.levels.items():
            assert level.price * self.sign == key
            assert level.quantity == sum(order.remaining for order in level.queue.values())
            assert list(level.queue) == sorted(level.queue), "queue out of order"
            assert all(level.first <= place < level.next for place in level.queue)
            assert all(order.remaining > 0 for order in level.queue.values())
