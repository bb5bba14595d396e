"""An order's life: what it may become, as a table, and the one function that moves it."""

from typing import Final

from msgspec import Struct

from tradeclear.model import reasons
from tradeclear.model.order import (
    OrderState,
    OrderType,
    SelfTradePrevention,
    Side,
    Status,
    TimeInForce,
    is_closed,
)
from tradeclear.model.units import Lots, Micros, Seq, TickLots, Ticks

TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    "open": frozenset({"open", "partially_filled", "filled", "cancelled", "rejected"}),
    "partially_filled": frozenset({"partially_filled", "filled", "cancelled"}),
    "filled": frozenset(),
    "cancelled": frozenset(),
    "rejected": frozenset(),
}


class Order(Struct, gc=False):
    """An order while the core knows it. The book touches the first six fields only.

    `place` numbers the order within its price level (`book.py`), `number` among its client's
    (`orders.py`). The rest is as in `OrderState`.
    """

    order_id: str
    client_id: str
    side: Side
    price: Ticks
    quantity: Lots
    remaining: Lots
    place: int = 0
    notional: TickLots = 0
    instrument: str = ""
    type: OrderType = "limit"
    time_in_force: TimeInForce = "gtc"
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = "none"
    status: Status = "open"
    reason: int = reasons.NONE
    created_at: Micros = 0
    updated_at: Micros = 0
    sequence: Seq = 0
    updated_sequence: Seq = 0
    number: int = 0

    @property
    def closed(self) -> bool:
        """Whether it can trade no more."""
        return is_closed(self.status, self.type)

    def state(self) -> OrderState:
        """How the order stands now, as a frozen value."""
        return OrderState(
            self.order_id,
            self.client_id,
            self.instrument,
            self.side,
            self.type,
            self.price,
            self.quantity,
            self.remaining,
            self.notional,
            self.time_in_force,
            self.post_only,
            self.self_trade_prevention,
            self.status,
            self.reason,
            self.created_at,
            self.updated_at,
            self.sequence,
            self.updated_sequence,
        )


def restore(state: OrderState) -> Order:
    """The order that `state` was taken from; its place in the book is not part of it."""
    return Order(
        order_id=state.order_id,
        client_id=state.client_id,
        side=state.side,
        price=state.price,
        quantity=state.quantity,
        remaining=state.remaining_quantity,
        notional=state.notional,
        instrument=state.instrument,
        type=state.type,
        time_in_force=state.time_in_force,
        post_only=state.post_only,
        self_trade_prevention=state.self_trade_prevention,
        status=state.status,
        reason=state.reason,
        created_at=state.created_at,
        updated_at=state.updated_at,
        sequence=state.sequence,
        updated_sequence=state.updated_sequence,
    )


def move(order: Order, status: Status, reason: int, seq: Seq, now: Micros) -> None:
    """Bring `order` to `status`, stamped. A move that the table forbids is a bug of ours."""
    assert status in TRANSITIONS[order.status], f"{order.order_id}: {order.status} to {status}"
    order.status = status
    order.reason = reason
    order.updated_at = now
    order.updated_sequence = seq
