"""What came of a command. Past tense, in integers, self-contained: the log alone tells every trade.

Like commands, events are part of the log format: fields are only added at the end, with a default.
"""

from typing import TypeAlias

from msgspec import Struct

from tradeclear.model.commands import Command
from tradeclear.model.order import OrderState, Side, Status
from tradeclear.model.units import Lots, Micros, Seq, TickLots, Ticks


class _Event(Struct, frozen=True, array_like=True, gc=False, tag_field="event"):
    """In the log: an array, its tag first."""


class OrderPlaced(_Event, frozen=True, tag=1):
    """The command's own order as it stands after it; the rest of its fields are the command's.

    `quantity` is lower than ordered only after self-trade prevention by `decrement`.
    """

    order_id: str
    status: Status
    quantity: Lots
    remaining_quantity: Lots
    notional: TickLots
    reason: int


class TradeExecuted(_Event, frozen=True, tag=2):
    """Two orders met, at the maker's price. The maker's own state afterwards comes along."""

    trade_id: int
    instrument: str
    price: Ticks
    quantity: Lots
    taker_side: Side
    buy_order_id: str
    sell_order_id: str
    buy_client_id: str
    sell_client_id: str
    maker_quantity: Lots
    maker_remaining_quantity: Lots

    @property
    def maker_order_id(self) -> str:
        return self.sell_order_id if self.taker_side == "buy" else self.buy_order_id


class OrderCancelled(_Event, frozen=True, tag=3):
    """A resting order left the book, asked to or by self-trade prevention."""

    order: OrderState


class OrderAmended(_Event, frozen=True, tag=4):
    """An order changed its terms: asked to, or lowered by self-trade prevention (`decrement`)."""

    order: OrderState


class CommandRefused(_Event, frozen=True, tag=5):
    """The command changed nothing. `order` is the order it spoke of, where there is one."""

    reason: int
    order: OrderState | None = None


class LevelChanged(_Event, frozen=True, tag=6):
    """A price level's new total: absolute, quantity 0 and orders 0 when it is gone."""

    instrument: str
    side: Side
    price: Ticks
    quantity: Lots
    orders: int


class OrdersCancelled(_Event, frozen=True, tag=7):
    """What a cancel-all did: `cancelled` orders closed, `remaining` still open (ask again)."""

    client_id: str
    cancelled: int
    remaining: int


class Configured(_Event, frozen=True, tag=8):
    """The configuration is in force. `forgotten` closed orders were on a grid that is no more."""

    forgotten: int = 0


class Quoted(_Event, frozen=True, tag=9):
    """What a quote did: orders entered, lowered, cancelled; levels that it could not bring there.

    A level is left when too many orders are open, or the command has met too many.
    """

    client_id: str
    entered: int = 0
    lowered: int = 0
    cancelled: int = 0
    left: int = 0


class OrderEntered(_Event, frozen=True, tag=10):
    """A quote's order, after it has met the book: resting, filled, or cut short."""

    order: OrderState


Event: TypeAlias = (
    OrderPlaced
    | TradeExecuted
    | OrderCancelled
    | OrderAmended
    | CommandRefused
    | LevelChanged
    | OrdersCancelled
    | Configured
    | Quoted
    | OrderEntered
)


class Record(Struct, frozen=True, array_like=True, gc=False):
    """A command together with its outcome: one entry of the log."""

    seq: Seq
    time: Micros
    command: Command
    events: tuple[Event, ...]
