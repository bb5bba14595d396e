"""What the exchange answers to commands."""

from msgspec import Struct

from tradeclear.client.order import Order
from tradeclear.client.trade import Trade


class OrderReply(Struct, frozen=True, kw_only=True):
    """An order after a command of its own, and the trades that the command made.

    `replayed`: the command had taken effect before, and this is what was answered then.
    """

    order: Order
    trades: tuple[Trade, ...] = ()
    replayed: bool = False


class CancelAllReply(Struct, frozen=True, kw_only=True):
    """`cancelled` orders were closed, oldest first; `remaining` are still open: ask again."""

    client_id: str
    instrument: str | None
    cancelled: int
    remaining: int
    order_ids: tuple[str, ...]


class OrdersPage(Struct, frozen=True, kw_only=True):
    """Orders, newest first. `next_cursor` None: there are no more."""

    orders: tuple[Order, ...]
    next_cursor: str | None
