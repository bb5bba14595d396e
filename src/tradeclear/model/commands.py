"""What the matcher can be asked to do. Imperative, in integers, complete: the core adds nothing.

A command goes into the log as it stands, so its encoding is part of the log format: fields are only
ever added at the end, with a default, and tags are never reused.
"""

from typing import TypeAlias

from msgspec import Struct

from tradeclear.model.instrument import Instrument
from tradeclear.model.order import OrderType, SelfTradePrevention, Side, TimeInForce
from tradeclear.model.units import Lots, Micros, Ticks


class Idempotency(Struct, frozen=True, array_like=True, gc=False):
    """A request's key and its content, 16 bytes each (see `core/idempotency.py`)."""

    key: bytes
    request: bytes


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of what the core remembers."""

    open_orders_max: int = 2_000_000
    closed_orders_max: int = 200_000
    trades_max: int = 200_000
    idempotency_keys_max: int = 1_000_000
    idempotency_age_us: Micros = 24 * 3600 * 1_000_000


class _Command(Struct, frozen=True, array_like=True, gc=False, tag_field="command"):
    """In the log: an array, its tag first."""


class PlaceOrder(_Command, frozen=True, tag=1):
    """Enter an order. `price` is 0 for a market order; `id_generated`: the client gave no id."""

    order_id: str
    client_id: str
    instrument: str
    side: Side
    type: OrderType
    price: Ticks
    quantity: Lots
    time_in_force: TimeInForce = "gtc"
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = "none"
    idempotency: Idempotency | None = None
    id_generated: bool = False


class CancelOrder(_Command, frozen=True, tag=2):
    """Cancel an order. With `client_id`, only if it is that client's."""

    order_id: str
    client_id: str | None = None
    idempotency: Idempotency | None = None


class AmendOrder(_Command, frozen=True, tag=3):
    """Change an order's price (0: keep) or total quantity (0: keep)."""

    order_id: str
    price: Ticks = 0
    quantity: Lots = 0
    client_id: str | None = None
    idempotency: Idempotency | None = None


class CancelAll(_Command, frozen=True, tag=4):
    """Cancel a client's open orders, oldest first, on one instrument or (None) on all."""

    client_id: str
    instrument: str | None = None
    idempotency: Idempotency | None = None


class Configure(_Command, frozen=True, tag=5):
    """Set the instruments and the limits. Every instrument known so far must be named again.

    The versions are those of the program that made this record and all up to the next `Configure`.
    """

    instruments: tuple[Instrument, ...]
    limits: Limits
    partition: int = 0
    engine_version: int = 1
    codec_version: int = 1
    idempotency: None = None


class Quote(_Command, frozen=True, tag=6):
    """Bring what a client has resting at these prices to these quantities (0: nothing).

    Levels are (price, quantity), bids below asks; prices that are not named stay as they are. It
    is how a feed makes a book follow another one: a command a change, however many levels it has.
    """

    client_id: str
    instrument: str
    bids: tuple[tuple[Ticks, Lots], ...] = ()
    asks: tuple[tuple[Ticks, Lots], ...] = ()
    idempotency: Idempotency | None = None


Command: TypeAlias = PlaceOrder | CancelOrder | AmendOrder | CancelAll | Configure | Quote
