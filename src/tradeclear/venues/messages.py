"""What Binance says, as values: its wire format (Spot WebSocket streams and REST) read exactly.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Raw, Struct

from tradeclear.model.decimals import DecimalError, parse
from tradeclear.routing.outside import SCALE, Level


class MessageUnreadable(ValueError):
    """What came is no message of this venue: ignore it; what it may have been shows as a gap."""


class Diff(Struct, frozen=True):
    """Levels that updates `first` to `last` changed, with their new quantities."""

    first: int
    last: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Ticker(Struct, frozen=True):
    """The best levels after `update_id`."""

    update_id: int
    bid: Level
    ask: Level


class Trade(Struct, frozen=True):
    """A trade. `seller_was_taker`: a sell order met a resting bid."""

    trade_id: int
    price: int
    quantity: int
    time_ms: int
    seller_was_taker: bool


class Snapshot(Struct, frozen=True):
    """The best levels of both sides after `update_id`."""

    update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


Message: TypeAlias = Diff | Ticker | Trade


class _Combined(Struct):
    stream: str
    data: Raw


class _Diff(Struct):
    first: int = msgspec.field(name="U")
    last: int = msgspec.field(name="u")
    bids: list[tuple[str, str]] = msgspec.field(name="b")
    asks: list[tuple[str, str]] = msgspec.field(name="a")


class _Ticker(Struct):
    update_id: int = msgspec.field(name="u")
    bid_price: str = msgspec.field(name="b")
    bid_quantity: str = msgspec.field(name="B")
    ask_price: str = msgspec.field(name="a")
    ask_quantity: str = msgspec.field(name="A")


class _Trade(Struct):
    trade_id: int = msgspec.field(name="t")
    price: str = msgspec.field(name="p")
    quantity: str = msgspec.field(name="q")
    time_ms: int = msgspec.field(name="T")
    seller_was_taker: bool = msgspec.field(name="m")


_read_combined: Final = msgspec.json.Decoder(_Combined).decode
_read_diff: Final = msgspec.json.Decoder(_Diff).decode
_read_ticker: Final = msgspec.json.Decoder(_Ticker).decode
_read_trade: Final = msgspec.json.Decoder(_Trade).decode


def read_message(text: str | bytes) -> Message | None:
    """A frame of a combined stream; None if it is of a kind that nobody here follows.

    Raises `MessageUnreadable`.
    """
    try:
        frame = _read_combined(text)
        read = _READERS.get(frame.stream.partition("@")[2].partition("@")[0])
        return None if read is None else read(frame.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DecimalError) as error:
        raise MessageUnreadable(str(error)) from None


def _diff(data: Raw) -> Diff:
    told = _read_diff(data)
    if not 0 <= told.first <= told.last:
        raise MessageUnreadable(f"updates {told.first} to {told.last} are no range")
    return Diff(told.first, told.last, read_levels(told.bids), read_levels(told.asks))


def _ticker(data: Raw) -> Ticker:
    told = _read_ticker(data)
    bid = read_level(told.bid_price, told.bid_quantity)
    return Ticker(told.update_id, bid, read_level(told.ask_price, told.ask_quantity))


def _trade(data: Raw) -> Trade:
    told = _read_trade(data)
    price, quantity = read_level(told.price, told.quantity)
    return Trade(told.trade_id, price, quantity, told.time_ms, told.seller_was_taker)


_READERS: Final[dict[str, Callable[[Raw], Message]]] = {
    "depth": _diff,
    "bookTicker": _ticker,
    "trade": _trade,
}


def read_levels(levels: Iterable[tuple[Any, Any]]) -> tuple[Level, ...]:
    """Pairs of decimal texts as levels. Raises `MessageUnreadable`."""
    return tuple(read_level(price, quantity) for price, quantity in levels)


def read_level(price_text: str, quantity_text: str) -> Level:
    """A price above zero and a quantity. Raises `MessageUnreadable`."""
    try:
        price, quantity = parse(price_text, SCALE), parse(quantity_text, SCALE)
    except (DecimalError, AttributeError) as error:  # no decimal text, or no text
        raise MessageUnreadable(f"{price_text!r}, {quantity_text!r}: {error}") from None
    if price <= 0 or quantity < 0:
        raise MessageUnreadable(f"{quantity_text} at {price_text} is no level")
    return price, quantity
