"""L2 views of a book: the best levels of each side, and deltas folded back into a book."""

from itertools import islice

from msgspec import Struct

from tradeclear.core.book import OrderBook
from tradeclear.core.ladder import Ladder
from tradeclear.model.events import LevelChanged
from tradeclear.model.units import Lots, TickLots, Ticks


class DepthLevel(Struct, frozen=True, array_like=True, gc=False):
    """One price level, with sums over it and all better ones."""

    price: Ticks
    quantity: Lots
    orders: int
    cumulative_quantity: Lots
    cumulative_notional: TickLots


class Depth(Struct, frozen=True):
    """Both sides of a book, best first."""

    bids: tuple[DepthLevel, ...]
    asks: tuple[DepthLevel, ...]


def depth(book: OrderBook, levels: int) -> Depth:
    """The best `levels` levels of each side."""
    return Depth(bids=_side(book.bids, levels), asks=_side(book.asks, levels))


def _side(ladder: Ladder, levels: int) -> tuple[DepthLevel, ...]:
    quantity = notional = 0
    rows = []
    for level in islice(ladder.best_first(), levels):
        quantity += level.quantity
        notional += level.price * level.quantity
        rows.append(DepthLevel(level.price, level.quantity, len(level.queue), quantity, notional))
    return tuple(rows)


class LevelBook:
    """An L2 book built from `LevelChanged` events alone, as a follower of the log would."""

    def __init__(self) -> None:
        self.levels: dict[tuple[str, str, Ticks], tuple[Lots, int]] = {}

    def apply(self, change: LevelChanged) -> None:
        """Take one absolute level change."""
        key = (change.instrument, change.side, change.price)
        if change.orders:
            self.levels[key] = (change.quantity, change.orders)
        else:
            self.levels.pop(key, None)
