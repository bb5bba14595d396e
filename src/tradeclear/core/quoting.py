"""Quoting: a client's resting quantities at many prices brought to what they should be.

What there is too much of goes first, youngest order first, so that the place in the queue is kept;
then what is missing comes in as new orders, at the back of the queue and through the book like
anyone's. A client that meets itself cancels what it had resting there.
"""

from typing import TYPE_CHECKING, Final, TypeAlias

from tradeclear.core.level_changes import level_changes, newest_of_each_level
from tradeclear.core.lifecycle import Order, move
from tradeclear.model import reasons
from tradeclear.model.commands import Quote
from tradeclear.model.events import (
    CommandRefused,
    Event,
    OrderAmended,
    OrderCancelled,
    OrderEntered,
    Quoted,
)
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import Side
from tradeclear.model.units import Lots, Micros, Seq, Ticks

if TYPE_CHECKING:
    from tradeclear.core.engine import Engine

LEVELS_MAX: Final = 50
"""So many levels a side may one quote name."""

ORDERS_MAX: Final = 16
"""So many orders may a client's quotes leave at one price; then the youngest one grows instead."""

Place: TypeAlias = tuple[Side, Ticks]


def quote(
    engine: "Engine", seq: Seq, now: Micros, command: Quote, *, meetings_max: int
) -> tuple[Event, ...]:
    """Carry out `command`, which may meet so many orders; what would come after them is left.

    The first event is `Quoted` or `CommandRefused`.
    """
    instrument = engine.instruments.get(command.instrument)
    if instrument is None or not instrument.trading:
        return (CommandRefused(reasons.UNKNOWN_INSTRUMENT),)
    if not _acceptable(command, instrument):
        return (CommandRefused(reasons.OUTSIDE_LIMITS),)
    return _Quoting(engine, seq, now, command, meetings_max).carry_out()


def _acceptable(command: Quote, instrument: Instrument) -> bool:
    """Whether every level could be an order, named once, and no bid reaches an ask."""
    for levels in (command.bids, command.asks):
        if len(levels) > LEVELS_MAX or len({price for price, _ in levels}) < len(levels):
            return False
        for price, quantity in levels:
            if not 0 < price <= instrument.price_ticks_max:
                return False
            if not 0 <= quantity <= instrument.quantity_lots_max:
                return False
            if price * quantity > instrument.notional_max:
                return False
    bids = [price for price, quantity in command.bids if quantity]
    asks = [price for price, quantity in command.asks if quantity]
    return not bids or not asks or max(bids) < min(asks)


class _Quoting:
    """One quote being carried out."""

    def __init__(
        self, engine: "Engine", seq: Seq, now: Micros, command: Quote, meetings_max: int
    ) -> None:
        self._engine: Final = engine
        self._seq: Final = seq
        self._now: Final = now
        self._client_id: Final = command.client_id
        self._instrument: Final = command.instrument
        self._book: Final = engine.books[command.instrument]
        self._wanted: Final[dict[Place, Lots]] = {
            **{("buy", price): quantity for price, quantity in command.bids},
            **{("sell", price): quantity for price, quantity in command.asks},
        }
        self._happened: Final[list[Event]] = []
        self._changes: Final[list[Event]] = []
        self._meetings = meetings_max
        self._entered = self._lowered = self._cancelled = self._left = 0

    def carry_out(self) -> tuple[Event, ...]:
        resting = self._resting()
        for place, wanted in self._wanted.items():
            self._lower(resting[place], wanted)
        for place, wanted in self._wanted.items():
            self._raise(place, resting[place], wanted)
        told = Quoted(self._client_id, self._entered, self._lowered, self._cancelled, self._left)
        return (told, *self._happened, *newest_of_each_level(self._changes))

    def _resting(self) -> dict[Place, list[Order]]:
        """The client's orders at the places that are named, in the order of their queues."""
        found: dict[Place, list[Order]] = {place: [] for place in self._wanted}
        for order in self._engine.orders.open_of(self._client_id):
            if order.instrument == self._instrument and (order.side, order.price) in found:
                found[order.side, order.price].append(order)
        for orders in found.values():
            orders.sort(key=_place_in_queue)
        return found

    def _lower(self, orders: list[Order], wanted: Lots) -> None:
        """Take away what is too much, the youngest order first."""
        surplus = _quantity(orders) - wanted
        while surplus > 0:
            youngest = orders[-1]
            if youngest.remaining <= surplus:
                surplus -= youngest.remaining
                self._cancel(orders.pop())
                self._cancelled += 1
            else:
                self._reduce(youngest, surplus)
                surplus = 0

    def _cancel(self, order: Order) -> None:
        level = self._book.remove(order)
        move(order, "cancelled", reasons.NONE, self._seq, self._now)
        self._engine.orders.close(order)
        self._happened.append(OrderCancelled(order.state()))
        self._changes.extend(level_changes(order.instrument, order.side, (level,)))

    def _reduce(self, order: Order, lots: Lots) -> None:
        level = self._book.reduce(order, lots)
        move(order, order.status, order.reason, self._seq, self._now)
        self._lowered += 1
        self._happened.append(OrderAmended(order.state()))
        self._changes.extend(level_changes(order.instrument, order.side, (level,)))

    def _raise(self, place: Place, orders: list[Order], wanted: Lots) -> None:
        """Enter what is missing, if it may be."""
        missing = wanted - _quantity(orders)
        if missing <= 0:
            return
        grows = len(orders) >= ORDERS_MAX
        order_id = f"{self._client_id}:{self._seq}:{self._entered:03d}"
        full = self._engine.orders.open_count - grows >= self._engine.limits.open_orders_max
        if full or self._meetings <= 0 or order_id in self._engine.orders.by_id:
            self._left += 1
            return
        if grows:
            missing += orders[-1].remaining
            self._cancel(orders.pop())
        self._enter(order_id, place, missing)

    def _enter(self, order_id: str, place: Place, quantity: Lots) -> None:
        side, price = place
        order = Order(
            order_id=order_id,
            client_id=self._client_id,
            side=side,
            price=price,
            quantity=quantity,
            remaining=quantity,
            instrument=self._instrument,
            self_trade_prevention="cancel_resting",
            created_at=self._now,
            updated_at=self._now,
            sequence=self._seq,
            updated_sequence=self._seq,
        )
        before = len(self._happened)
        changes = self._engine.enter(
            self._seq, self._now, order, self._book, self._happened, self._meetings
        )
        self._engine.orders.add(order, self._entered)
        self._changes.extend(changes)
        self._meetings -= len(self._happened) - before
        self._entered += 1
        self._happened.append(OrderEntered(order.state()))


def _quantity(orders: list[Order]) -> Lots:
    return sum(order.remaining for order in orders)


def _place_in_queue(order: Order) -> int:
    return order.place
