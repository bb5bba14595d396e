"""An order as the outside sees it: its terms, how far it has come, and if it can still trade."""

from typing import Literal, TypeAlias

from msgspec import Struct

from tradeclear.model.units import Lots, Micros, Seq, TickLots, Ticks

Side: TypeAlias = Literal["buy", "sell"]
OrderType: TypeAlias = Literal["limit", "market"]
TimeInForce: TypeAlias = Literal["gtc", "ioc", "fok"]
SelfTradePrevention: TypeAlias = Literal[
    "none", "cancel_incoming", "cancel_resting", "cancel_both", "decrement"
]
Status: TypeAlias = Literal["open", "partially_filled", "filled", "cancelled", "rejected"]


class OrderState(Struct, frozen=True, array_like=True, gc=False):
    """One order at one moment. Prices in ticks (0: a market order's), quantities in lots.

    `notional` is the sum of price x quantity over its trades, `reason` a number of `reasons.py`
    (0: none), times are microseconds, `sequence` the log sequence of the command that placed it and
    `updated_sequence` of the last one that changed it.
    """

    order_id: str
    client_id: str
    instrument: str
    side: Side
    type: OrderType
    price: Ticks
    quantity: Lots
    remaining_quantity: Lots
    notional: TickLots
    time_in_force: TimeInForce
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    status: Status
    reason: int
    created_at: Micros
    updated_at: Micros
    sequence: Seq
    updated_sequence: Seq

    @property
    def filled_quantity(self) -> Lots:
        return self.quantity - self.remaining_quantity

    @property
    def closed(self) -> bool:
        return is_closed(self.status, self.type)


def is_closed(status: Status, order_type: OrderType) -> bool:
    """Whether an order of this status can trade no more. A market order never rests."""
    return order_type == "market" or status not in ("open", "partially_filled")
