"""What a stream tells, as docs/streams.md has it."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from tradeclear.client.answer import reader
from tradeclear.client.errors import NotUnderstood
from tradeclear.client.level import Level
from tradeclear.client.order import Order
from tradeclear.client.problem import Problem
from tradeclear.client.topic import Channel, Place
from tradeclear.client.trade import Trade
from tradeclear.model.order import Side, Status
from tradeclear.model.units import Seq

Resume: TypeAlias = Literal["none", "replayed", "too_old", "ahead"]
OrderEventKind: TypeAlias = Literal["placed", "amended", "traded", "cancelled"]


class Subscribed(Struct, frozen=True, kw_only=True):
    """A topic begins, at `sequence`; or goes on without loss, if `resume` is `replayed`.

    `too_old` and `ahead`: it could not go on from where it was. What happened in between is not
    told; where the channel has snapshots they follow.
    """

    channels: tuple[Channel, ...]
    instrument: str
    sequence: Seq
    resume: Resume
    client_id: str | None = None
    id: int | None = None


class DepthSnapshot(Struct, frozen=True, kw_only=True):
    """A part of a book, best first, all parts as of `sequence`. Part 1 begins a new book.

    `complete` false: there are levels behind the worst ones given.
    """

    channel: ClassVar[Channel] = "orderbook_deltas"

    instrument: str
    sequence: Seq
    part: int
    parts: int
    complete: bool
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class OrdersSnapshot(Struct, frozen=True, kw_only=True):
    """A part of a client's open orders, oldest first, all parts as of `sequence`."""

    channel: ClassVar[Channel] = "orders"

    instrument: str
    client_id: str
    sequence: Seq
    part: int
    parts: int
    complete: bool
    orders: tuple[Order, ...]


class DepthUpdate(Struct, frozen=True, kw_only=True):
    """The new totals of the levels that a command changed (several commands, if conflated)."""

    channel: ClassVar[Channel] = "orderbook_deltas"

    instrument: str
    sequence: Seq
    previous_sequence: Seq
    timestamp: datetime
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class TradesUpdate(Struct, frozen=True, kw_only=True):
    """The trades of a command, in the order in which they were made."""

    channel: ClassVar[Channel] = "trades"

    instrument: str
    sequence: Seq
    previous_sequence: Seq
    timestamp: datetime
    trades: tuple[Trade, ...]


class OrderEvent(Struct, frozen=True, kw_only=True):
    """What happened to an order.

    `placed`, `amended`, `cancelled` show the `order` as it stands, and the `trades` that it made by
    that. `traded`: a resting order was met; its state after the `trade` is in the other fields.
    """

    event: OrderEventKind
    order: Order | None = None
    trades: tuple[Trade, ...] = ()
    order_id: str = ""
    side: Side | None = None
    quantity: Decimal | None = None
    filled_quantity: Decimal | None = None
    remaining_quantity: Decimal | None = None
    status: Status | None = None
    closed: bool | None = None
    trade: Trade | None = None


class OrdersUpdate(Struct, frozen=True, kw_only=True):
    """What a command did to the orders of a client, in order."""

    channel: ClassVar[Channel] = "orders"

    instrument: str
    client_id: str
    sequence: Seq
    previous_sequence: Seq
    timestamp: datetime
    events: tuple[OrderEvent, ...]


class Live(Struct, frozen=True, kw_only=True):
    """Everything up to `sequence` was told; what follows comes as it happens."""

    channels: tuple[Channel, ...]
    instrument: str
    sequence: Seq
    client_id: str | None = None
    id: int | None = None


class StreamError(Struct, frozen=True, kw_only=True):
    """A request was refused."""

    problem: Problem
    id: int | str | None = None


Update: TypeAlias = DepthUpdate | TradesUpdate | OrdersUpdate
Snapshot: TypeAlias = DepthSnapshot | OrdersSnapshot
Message: TypeAlias = Subscribed | Snapshot | Update | Live


def place_of(message: Message) -> Place:
    """The topic that a message is of."""
    if isinstance(message, Subscribed | Live):
        return (message.channels[0], message.instrument, message.client_id)
    client_id = message.client_id if isinstance(message, OrdersSnapshot | OrdersUpdate) else None
    return (message.channel, message.instrument, client_id)


class _Head(Struct, frozen=True):
    """By what a message is known."""

    type: str
    channel: str = ""


_read_head: Final = msgspec.json.Decoder(_Head).decode

_READERS: Final[dict[tuple[str, str], Callable[[bytes | str], Any]]] = {
    ("subscribed", ""): reader(Subscribed),
    ("live", ""): reader(Live),
    ("error", ""): reader(StreamError),
    ("snapshot", "orderbook_deltas"): reader(DepthSnapshot),
    ("snapshot", "orders"): reader(OrdersSnapshot),
    ("update", "orderbook_deltas"): reader(DepthUpdate),
    ("update", "trades"): reader(TradesUpdate),
    ("update", "orders"): reader(OrdersUpdate),
}


def read_message(text: str | bytes) -> Message | StreamError:
    """A message by its type and channel. Raises `NotUnderstood`."""
    try:
        head = _read_head(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotUnderstood(f"{error}: {text[:200]!r}") from error
    read = _READERS.get((head.type, head.channel))
    if read is None:
        raise NotUnderstood(f"a message of an unknown kind: {text[:200]!r}")
    message: Message | StreamError = read(text)
    return message
