"""An order as the exchange shows it, its numbers exact."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from tradeclear.model.order import OrderType, SelfTradePrevention, Side, Status, TimeInForce
from tradeclear.model.units import Seq


class Order(Struct, frozen=True, kw_only=True):
    """An order at one moment. Prices in the quote currency, quantities in the base.

    `closed`: it can trade no more. `sequence` is the log sequence of the command that placed it,
    `updated_sequence` of the last one that changed it.
    """

    order_id: str
    client_id: str
    instrument: str
    side: Side
    type: OrderType
    price: Decimal | None
    quantity: Decimal
    filled_quantity: Decimal
    remaining_quantity: Decimal
    average_price: Decimal | None
    time_in_force: TimeInForce
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    status: Status
    closed: bool
    reject_reason: str | None
    created_at: datetime
    updated_at: datetime
    sequence: Seq
    updated_sequence: Seq
