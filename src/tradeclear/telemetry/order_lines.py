"""One log line a durable record, written after the commit by a task of its own.

Lines are made and written a batch at a time, in a worker thread, so that a slow terminal or a full
pipe holds up nothing; what overload sheds is counted (`log_lines_dropped_total`). The log itself
has everything: `tradeclear wal cat --follow`.
"""

from collections.abc import Iterable
from typing import Any, BinaryIO, Final

import orjson

from tradeclear.model import reasons
from tradeclear.model.events import (
    CommandRefused,
    OrderAmended,
    OrderCancelled,
    OrderPlaced,
    Record,
    TradeExecuted,
)
from tradeclear.telemetry.events import ORDER

RECORDS_MAX: Final = 20_000
"""So many records may wait to be written as lines before the next ones are shed."""


def write_lines(stream: BinaryIO, records: Iterable[Record]) -> None:
    """Write a line for each record. Blocking: run it in a thread. Raises `OSError`."""
    stream.write(b"".join(map(line, records)))
    stream.flush()


def line(record: Record) -> bytes:
    """A record as one line of JSON, newline included; prices in ticks, quantities in lots."""
    fields: dict[str, Any] = {
        "event": ORDER,
        "seq": record.seq,
        "time_us": record.time,
        "command": type(record.command).__name__,
    }
    trades = 0
    for event in record.events:
        match event:
            case OrderPlaced():
                fields |= {
                    "order_id": event.order_id,
                    "status": event.status,
                    "remaining_lots": event.remaining_quantity,
                }
                if event.reason:
                    fields["reason"] = reasons.NAMES[event.reason]
            case OrderCancelled() | OrderAmended():
                fields |= {"order_id": event.order.order_id, "status": event.order.status}
            case CommandRefused():
                fields["refused"] = reasons.NAMES[event.reason]
            case TradeExecuted():
                trades += 1
            case _:
                pass
    if trades:
        fields["trades"] = trades
    client_id = getattr(record.command, "client_id", None)
    if client_id:
        fields["client_id"] = client_id
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


__all__ = ["RECORDS_MAX", "line", "write_lines"]
