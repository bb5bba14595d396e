"""Outcomes to replies. A reply is made from its record alone, so that a repeated key gives the
same bytes again.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from tradeclear.gateway.orders import Instruments
from tradeclear.gateway.placed_text import placed_text
from tradeclear.gateway.problems import KINDS, UNKNOWN_ORDER, Reply, problem
from tradeclear.gateway.views import (
    OrderView,
    TradeView,
    order_view,
    time_text,
    trade_view,
)
from tradeclear.model import reasons
from tradeclear.model.commands import AmendOrder, CancelAll, CancelOrder, Command, PlaceOrder
from tradeclear.model.events import (
    CommandRefused,
    OrderAmended,
    OrderCancelled,
    OrderPlaced,
    OrdersCancelled,
    Record,
    TradeExecuted,
)
from tradeclear.model.instrument import Instrument
from tradeclear.pipeline.outcome import Outcome

REPLAYED: Final = (("Idempotency-Replayed", "true"),)


class OrderReply(Struct, frozen=True, gc=False):
    """An order after a command of its own, and the trades that the command made."""

    order: OrderView
    trades: list[TradeView]


class CancelReply(Struct, frozen=True, gc=False):
    """A cancelled order's final state."""

    order: OrderView


class CancelAllReply(Struct, frozen=True, gc=False):
    """`cancelled` orders were closed, oldest first; `remaining` are still open: ask again."""

    client_id: str
    instrument: str | None
    cancelled: int
    remaining: int
    order_ids: list[str]


_encode: Final = msgspec.json.Encoder().encode


def answer(outcome: Outcome, instruments: Instruments) -> Reply:
    """The reply to any command that came through a door."""
    return _REPLIES[type(outcome.record.command)](outcome, instruments)


def placed(outcome: Outcome, instruments: Instruments) -> Reply:
    """The reply to a `PlaceOrder`: 201, `rejected` included, or the problem."""
    record = outcome.record
    command = cast(PlaceOrder, record.command)
    event = record.events[0]
    if type(event) is not OrderPlaced:
        return _refused(outcome, instruments)
    instrument = _instrument(instruments, command.instrument)
    body = placed_text(record, command, event, instrument)
    return Reply(201, body, REPLAYED if outcome.replayed else ())


def amended(outcome: Outcome, instruments: Instruments) -> Reply:
    """The reply to an `AmendOrder`: the order's state after it, and what it traded."""
    event = outcome.record.events[0]
    if type(event) is not OrderAmended:
        return _refused(outcome, instruments)
    instrument = _instrument(instruments, event.order.instrument)
    order = order_view(event.order, instrument)
    return _reply(200, OrderReply(order, _trades(outcome.record, instrument)), outcome)


def cancelled(outcome: Outcome, instruments: Instruments) -> Reply:
    """The reply to a `CancelOrder`: the order's final state."""
    event = outcome.record.events[0]
    if type(event) is not OrderCancelled:
        return _refused(outcome, instruments)
    instrument = _instrument(instruments, event.order.instrument)
    return _reply(200, CancelReply(order_view(event.order, instrument)), outcome)


def all_cancelled(outcome: Outcome, instruments: Instruments) -> Reply:
    """The reply to a `CancelAll`: how many, and which."""
    record = outcome.record
    command = cast(CancelAll, record.command)
    told = record.events[0]
    if type(told) is not OrdersCancelled:
        return _refused(outcome, instruments)
    ids = [event.order.order_id for event in record.events if type(event) is OrderCancelled]
    reply = CancelAllReply(
        command.client_id, command.instrument, told.cancelled, told.remaining, ids
    )
    return _reply(200, reply, outcome)


_REPLIES: Final[dict[type[Any], Callable[[Outcome, Instruments], Reply]]] = {
    PlaceOrder: placed,
    AmendOrder: amended,
    CancelOrder: cancelled,
    CancelAll: all_cancelled,
}


def _reply(status: int, body: Struct, outcome: Outcome) -> Reply:
    return Reply(status, _encode(body), REPLAYED if outcome.replayed else ())


def _trades(record: Record, instrument: Instrument) -> list[TradeView]:
    trades = [event for event in record.events if type(event) is TradeExecuted]
    if not trades:
        return []
    seq, time = record.seq, time_text(record.time)
    return [trade_view(trade, seq, time, instrument) for trade in trades]


def _refused(outcome: Outcome, instruments: Instruments) -> Reply:
    """The problem for a command that the matcher turned down."""
    record = outcome.record
    refused = cast(CommandRefused, record.events[0])
    kind = KINDS.get(refused.reason, UNKNOWN_ORDER)
    state, order = refused.order, None
    if state is not None and _may_see(record.command, state.client_id):
        order = order_view(state, _instrument(instruments, state.instrument))
    return problem(
        kind,
        _DETAILS[refused.reason].format(order_id=getattr(record.command, "order_id", "")),
        order=order,
        headers=REPLAYED if outcome.replayed else (),
    )


def _may_see(command: Command, client_id: str) -> bool:
    """Whether the sender may see an order of `client_id`: not if it named itself otherwise."""
    return getattr(command, "client_id", None) in (None, client_id)


_DETAILS: Final[dict[int, str]] = {
    reasons.DUPLICATE_ORDER_ID: "order {order_id} exists: choose another order_id",
    reasons.UNKNOWN_ORDER: (
        "order {order_id} does not exist, is another client's, or closed so long ago that it is "
        "forgotten"
    ),
    reasons.ORDER_CLOSED: "order {order_id} is closed: its state is in `order`",
    reasons.QUANTITY_NOT_ABOVE_FILLED: (
        "quantity is the new total and must be greater than what order {order_id} has filled"
    ),
    reasons.AMEND_WOULD_CROSS: (
        "order {order_id} is post-only and would trade at this price: it stays as it was"
    ),
    reasons.UNKNOWN_INSTRUMENT: "the instrument is not traded here: GET /instruments",
    reasons.OUTSIDE_LIMITS: (
        "price, quantity or their product is outside the instrument's limits: GET /instruments"
    ),
}


def _instrument(instruments: Instruments, name: str) -> Instrument:
    instrument = instruments.instrument(name)
    assert instrument is not None, f"a record names instrument {name}, which is not configured"
    return instrument
