"""Why an order or command was turned down or cut short: numbered, stable, never reused.

Numbers are what the log keeps; names are what people read (`reject_reason`).
"""

from typing import Final

NONE: Final = 0

# An order was rejected, or what was left of it cancelled.
NO_LIQUIDITY: Final = 101
POST_ONLY_WOULD_CROSS: Final = 102
FILL_OR_KILL_UNFILLED: Final = 103
TOO_MANY_FILLS: Final = 104
SELF_TRADE_PREVENTED: Final = 105
OPEN_ORDERS_MAX_REACHED: Final = 106

# A command was refused and changed nothing.
DUPLICATE_ORDER_ID: Final = 201
UNKNOWN_ORDER: Final = 202
ORDER_CLOSED: Final = 203
QUANTITY_NOT_ABOVE_FILLED: Final = 204
AMEND_WOULD_CROSS: Final = 205
UNKNOWN_INSTRUMENT: Final = 206
CONFIGURATION_REFUSED: Final = 207
OUTSIDE_LIMITS: Final = 208

NAMES: Final = {
    value: name.lower() for name, value in list(globals().items()) if isinstance(value, int)
}
"""Number to name, e.g. 101 to "no_liquidity"."""
