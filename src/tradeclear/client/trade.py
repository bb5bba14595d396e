"""A trade as the exchange shows it, its numbers exact."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from tradeclear.model.order import Side
from tradeclear.model.units import Seq


class Trade(Struct, frozen=True, kw_only=True):
    """Two orders met, at the maker's price, by the command `sequence`.

    `taker_side`, the side of the order that came in, is told by streams only.
    """

    trade_id: int
    instrument: str
    buy_order_id: str
    sell_order_id: str
    maker_order_id: str
    price: Decimal
    quantity: Decimal
    timestamp: datetime
    sequence: Seq
    taker_side: Side | None = None
