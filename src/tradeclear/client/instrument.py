"""What can be traded, in decimals."""

from decimal import Decimal

from msgspec import Struct


class Instrument(Struct, frozen=True, kw_only=True):
    """Prices are multiples of `tick_size`, quantities of `lot_size`; limits are inclusive.

    `trading` false: its past can be seen, new orders are refused.
    """

    instrument: str
    tick_size: Decimal
    lot_size: Decimal
    price_max: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    notional_min: Decimal
    notional_max: Decimal
    trading: bool
