"""Orders and trades as clients see them: decimals instead of ticks and lots, names, times.

Numbers are written out exactly as JSON numbers; no float is ever made of them.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final

from msgspec import Meta, Raw, Struct

from tradeclear.model import reasons
from tradeclear.model.events import TradeExecuted
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import (
    OrderState,
    OrderType,
    SelfTradePrevention,
    Side,
    Status,
    TimeInForce,
)
from tradeclear.model.units import Lots, Micros, Seq, TickLots

SECONDS_CACHED: Final = 4096
TIMES_CACHED: Final = 1024

Number = Annotated[Raw, Meta(extra_json_schema={"type": "number"})]
NumberOrNull = Annotated[Raw, Meta(extra_json_schema={"type": ["number", "null"]})]
Time = Annotated[str, Meta(extra_json_schema={"type": "string", "format": "date-time"})]

NULL: Final = Raw(b"null")
ZERO: Final = Raw(b"0")


class OrderView(Struct, frozen=True, gc=False):
    """An order. `closed`: it can trade no more."""

    order_id: str
    client_id: str
    instrument: str
    side: Side
    type: OrderType
    price: NumberOrNull
    quantity: Number
    filled_quantity: Number
    remaining_quantity: Number
    average_price: NumberOrNull
    time_in_force: TimeInForce
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    status: Status
    closed: bool
    reject_reason: str | None
    created_at: Time
    updated_at: Time
    sequence: int
    updated_sequence: int


class TradeView(Struct, frozen=True, gc=False):
    """A trade, at the maker's price; `sequence` is that of the command that caused it."""

    trade_id: int
    instrument: str
    buy_order_id: str
    sell_order_id: str
    maker_order_id: str
    price: Number
    quantity: Number
    timestamp: Time
    sequence: int


def order_view(order: OrderState, instrument: Instrument) -> OrderView:
    """An order as it stands."""
    filled = order.filled_quantity
    whole = quantity_digits(instrument, order.quantity)
    return OrderView(
        order.order_id,
        order.client_id,
        order.instrument,
        order.side,
        order.type,
        price_digits(instrument, order.price) if order.price else NULL,
        whole,
        quantity_digits(instrument, filled) if filled else ZERO,
        quantity_digits(instrument, order.remaining_quantity) if filled else whole,
        average_digits(instrument, order.notional, filled) if filled else NULL,
        order.time_in_force,
        order.post_only,
        order.self_trade_prevention,
        order.status,
        order.closed,
        reasons.NAMES[order.reason] if order.reason else None,
        time_text(order.created_at),
        time_text(order.updated_at),
        order.sequence,
        order.updated_sequence,
    )


def trade_view(trade: TradeExecuted, seq: Seq, time: str, instrument: Instrument) -> TradeView:
    """A trade; `time` is that of its record, written out."""
    return TradeView(
        trade.trade_id,
        trade.instrument,
        trade.buy_order_id,
        trade.sell_order_id,
        trade.maker_order_id,
        price_digits(instrument, trade.price),
        quantity_digits(instrument, trade.quantity),
        time,
        seq,
    )


def price_digits(instrument: Instrument, ticks: int) -> Raw:
    """A price as a JSON number."""
    return Raw(instrument.price_text(ticks).encode())


def quantity_digits(instrument: Instrument, lots: Lots) -> Raw:
    """A quantity as a JSON number."""
    return Raw(instrument.quantity_text(lots).encode())


def average_digits(instrument: Instrument, notional: TickLots, filled: Lots) -> Raw:
    """An average price, rounded half-even to 8 decimals, as a JSON number."""
    return Raw(instrument.average_price_text(notional, filled).encode())


def notional_digits(instrument: Instrument, tick_lots: TickLots) -> Raw:
    """A worth in the quote currency, rounded half-even to 8 decimals, as a JSON number."""
    return Raw(instrument.rounded_notional_text(tick_lots).encode())


@lru_cache(TIMES_CACHED)
def time_text(micros: Micros) -> str:
    """RFC 3339 in UTC with microseconds: 2025-01-31T08:00:00.000000Z."""
    second, rest = divmod(micros, 1_000_000)
    return f"{_second_text(second)}{rest:06d}Z"


@lru_cache(SECONDS_CACHED)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
