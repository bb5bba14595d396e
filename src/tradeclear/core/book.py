"""The order book: price-time priority over orders, sides, prices and quantities; nothing else.

Who a client is and what an order's terms are is decided outside; the book rests, removes, matches.
"""

from typing import Final

from msgspec import Struct

from tradeclear.core.ladder import Ladder, Level
from tradeclear.core.lifecycle import Order
from tradeclear.model.order import Side
from tradeclear.model.units import Lots, Ticks

NO_LIMIT: Final = -(1 << 63)
"""Below every key: the limit of a market order."""

GAP_STEPS: Final = 32
"""Places tried one by one where orders have left the front of a queue."""


class Match(Struct, frozen=True, gc=False):
    """What an incoming order met.

    `fills` pairs each maker with the lots it traded, in order; `levels` are those that changed;
    `remaining` is what is left of the incoming quantity. `own` is the maker that it stopped at
    because it belongs to the client to avoid.
    """

    fills: list[tuple[Order, Lots]]
    levels: list[Level]
    remaining: Lots
    own: Order | None


class OrderBook:
    """Both sides of one instrument's book."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids: Final = Ladder("buy")
        self.asks: Final = Ladder("sell")

    def side(self, side: Side) -> Ladder:
        """The ladder where orders of `side` rest."""
        return self.bids if side == "buy" else self.asks

    def opposite(self, side: Side) -> Ladder:
        """The ladder that orders of `side` trade against."""
        return self.asks if side == "buy" else self.bids

    def limit_key(self, side: Side, price: Ticks) -> int:
        """The worst key that an incoming order of `side` at `price` (0: market) may trade with."""
        if not price:
            return NO_LIMIT
        return -price if side == "buy" else price

    @property
    def has_orders(self) -> bool:
        """Whether any order rests on either side."""
        return bool(self.bids.keys or self.asks.keys)

    def crosses(self, side: Side, price: Ticks) -> bool:
        """Whether an incoming order at `price` (0: market) would meet a resting one."""
        if side == "buy":
            keys = self.asks.keys
            return bool(keys) and (keys[-1] >= -price or not price)
        keys = self.bids.keys
        return bool(keys) and (keys[-1] >= price or not price)

    def rest_unless_crossing(self, order: Order) -> Level | None:
        """Put a limit `order` at the back of its price level; None if it would trade instead."""
        price = order.price
        if order.side == "buy":
            ladder, keys, limit = self.bids, self.asks.keys, -price
        else:
            ladder, keys, limit = self.asks, self.bids.keys, price
        return None if keys and keys[-1] >= limit else ladder.rest(order)

    def rest(self, order: Order) -> Level:
        """Put `order` at the back of its price level."""
        return (self.bids if order.side == "buy" else self.asks).rest(order)

    def remove(self, order: Order) -> Level:
        """Take a resting `order` out."""
        return (self.bids if order.side == "buy" else self.asks).remove(order)

    def reduce(self, order: Order, lots: Lots) -> Level:
        """Lower a resting order by `lots`, less than what remains of it; it keeps its place."""
        ladder = self.bids if order.side == "buy" else self.asks
        level = ladder.levels[order.price * ladder.sign]
        level.quantity -= lots
        order.quantity -= lots
        order.remaining -= lots
        return level

    def match(
        self, side: Side, price: Ticks, quantity: Lots, fills_max: int, avoid: str | None = None
    ) -> Match:
        """Trade an incoming `quantity` of `side` against the other side, best and oldest first.

        Makers' remaining quantities are lowered and filled makers leave the book. Stops when the
        quantity is used up, the price (0: any) ends it, after `fills_max` fills, or before a maker
        of client `avoid`.
        """
        ladder = self.asks if side == "buy" else self.bids
        limit = self.limit_key(side, price)
        keys, levels = ladder.keys, ladder.levels
        fills: list[tuple[Order, Lots]] = []
        touched: list[Level] = []
        while quantity and keys and (key := keys[-1]) >= limit and fills_max:
            level = levels[key]
            queue = level.queue
            before = quantity
            while quantity and queue and fills_max:
                maker = queue.get(level.first)
                if maker is None:
                    maker = _behind_gap(level)
                if avoid is not None and maker.client_id == avoid:
                    if before != quantity:
                        level.quantity -= before - quantity
                        touched.append(level)
                    return Match(fills, touched, quantity, maker)
                fills_max -= 1
                left = maker.remaining
                if left > quantity:
                    maker.remaining = left - quantity
                    fills.append((maker, quantity))
                    quantity = 0
                else:
                    maker.remaining = 0
                    fills.append((maker, left))
                    quantity -= left
                    del queue[level.first]
                    level.first += 1
            level.quantity -= before - quantity
            touched.append(level)
            if not queue:
                ladder.emptied(key)
        return Match(fills, touched, quantity, None)

    def fillable(
        self,
        side: Side,
        price: Ticks,
        quantity: Lots,
        fills_max: int,
        avoid: str | None = None,
        skip: bool = False,
    ) -> bool:
        """Whether `quantity` could trade whole, with at most `fills_max` meetings. Changes nothing.

        Orders of client `avoid` don't count; unless `skip` (they would be cancelled and passed by),
        nothing behind them counts either.
        """
        limit = self.limit_key(side, price)
        for level in self.opposite(side).best_first():
            if level.price * self.opposite(side).sign < limit:
                return False
            for maker in level.queue.values():
                if not fills_max:
                    return False
                fills_max -= 1
                if maker.client_id == avoid:
                    if not skip:
                        return False
                    continue
                quantity -= maker.remaining
                if quantity <= 0:
                    return True
        return False

    def assert_consistent(self) -> None:
        """Check the book's own promises. For tests: walks everything."""
        self.bids.assert_consistent()
        self.asks.assert_consistent()
        if self.bids.keys and self.asks.keys:
            assert self.bids.keys[-1] < -self.asks.keys[-1], "the book is crossed or locked"


def _behind_gap(level: Level) -> Order:
    """The oldest order where `level.first` has left. The queue has at least one.

    A dict's iterator walks over every order that left since the dict last grew, so that the small
    gaps which cancels leave everywhere are cheaper stepped over.
    """
    queue = level.queue
    for place in range(level.first + 1, level.first + 1 + GAP_STEPS):
        order = queue.get(place)
        if order is not None:
            level.first = place
            return order
    level.first = next(iter(queue))
    return queue[level.first]
