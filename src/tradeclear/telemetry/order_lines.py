"""One log line a durable record, made after the commit by a task of its own, a batch at a time.

What overload sheds is counted (`log_lines_dropped_total`). The log itself has everything:
`tradeclear wal cat --follow`.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tradeclear.model import reasons
from tradeclear.model.events import (
    CommandRefused,
    Event,
    OrderAmended,
    OrderCancelled,
    OrderPlaced,
    Record,
    TradeExecuted,
)
from tradeclear.telemetry.events import ORDER

RECORDS_MAX: Final = 20_000
"""So many records may wait to be written as lines before the next ones are shed."""


class Line(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="event", tag=ORDER):
    """What is said of a record; quantities in lots."""

    seq: int
    time_us: int
    command: str
    client_id: str | None = None
    order_id: str | None = None
    status: str | None = None
    remaining_lots: int | UnsetType = UNSET
    reason: str | None = None
    trades: int = 0


_encode_lines = msgspec.json.Encoder().encode_lines


def encode_lines(records: Iterable[Record]) -> bytes:
    """A line for each record."""
    return _encode_lines([line(record) for record in records])


def line(record: Record) -> Line:
    """What the line of `record` says."""
    command, events = record.command, record.events
    told = _told(events[0])
    return Line(
        record.seq,
        record.time,
        type(command).__name__,
        getattr(command, "client_id", None),
        *told,
        [*map(type, events)].count(TradeExecuted) if len(events) > 2 else 0,
    )


def _told(event: Event) -> tuple[str | None, str | None, int | UnsetType, str | None]:
    """Order id, status, remaining lots and reason, as far as the first event has them."""
    if type(event) is OrderPlaced:
        reason = reasons.NAMES[event.reason] if event.reason else None
        return event.order_id, event.status, event.remaining_quantity, reason
    if isinstance(event, OrderCancelled | OrderAmended):
        order = event.order
        return order.order_id, order.status, order.remaining_quantity, None
    if type(event) is CommandRefused:
        order_id = event.order.order_id if event.order is not None else None
        return order_id, None, UNSET, reasons.NAMES[event.reason]
    return None, None, UNSET, None
