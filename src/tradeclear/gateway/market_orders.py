"""`POST /market`: what a market order would get on the outside market, where nothing is changed.

Hidden liquidity is not counted: nobody is told of it.
"""

from itertools import islice
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from tradeclear.gateway.decode import RequestRefused, reader
from tradeclear.gateway.fields import integer, number_text
from tradeclear.gateway.problems import (
    INVALID_FIELD,
    MALFORMED_BODY,
    MARKET_STALE,
    NO_MARKET,
    Reply,
    problem,
)
from tradeclear.gateway.rate_limits import RateLimited, TokenBuckets, network
from tradeclear.gateway.requests import Quantity
from tradeclear.gateway.routing import Call, Parameter, Route
from tradeclear.gateway.views import NULL, Number, NumberOrNull
from tradeclear.model.decimals import DecimalError, parse, render
from tradeclear.model.errors import InvalidField
from tradeclear.model.order import Side
from tradeclear.routing.outside import SCALE, Levels, OutsideMarket, Reading, Source
from tradeclear.routing.quote import Quote, walk

LEVELS: Final = 20
LEVELS_MAX: Final = 1_000
RETRY_S: Final = 1.0


class MarketRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """So much to be bought or sold at whatever price there is."""

    side: Side
    amount: Annotated[Quantity, Meta(description="Base currency, exact; 8 decimals at most.")]


class MarketReply(Struct, frozen=True):
    """What there is for it. Nothing at all: `avg_price` and `slippage_pct` are null.

    `slippage_pct` is how much worse than the best price the average is, in percent.
    """

    filled: Number
    avg_price: NumberOrNull
    slippage_pct: NumberOrNull
    status: Literal["filled", "partial"]


class OutsideDepthReply(Struct, frozen=True):
    """The outside market's best levels as [price, quantity], where they come from, and their age.

    `stale`: they are too old to trade on.
    """

    symbol: str
    source: Source
    update_id: int
    age_s: float
    stale: bool
    bids: list[tuple[Number, Number]]
    asks: list[tuple[Number, Number]]


_read: Final = reader(MarketRequest)
_encode: Final = msgspec.json.Encoder().encode


class MarketOrders:
    """The routes of the outside `market`; None: none is followed. `buckets`: an address each."""

    def __init__(self, market: OutsideMarket | None, buckets: TokenBuckets) -> None:
        self._market: Final = market
        self._buckets: Final = buckets

    def routes(self) -> tuple[Route, ...]:
        """What is mounted."""
        return (
            Route(
                method="POST",
                path="/market",
                name="market_order",
                summary="What a market order would get on the outside market",
                tag="outside market",
                endpoint=self.market_order,
                body=MarketRequest,
                replies={200: MarketReply},
                problems=(MALFORMED_BODY, INVALID_FIELD, NO_MARKET, MARKET_STALE),
            ),
            Route(
                method="GET",
                path="/market/depth",
                name="market_depth",
                summary="The outside market's best levels, and how old they are",
                tag="outside market",
                endpoint=self.depth,
                parameters=(
                    Parameter(
                        "levels",
                        "At most so many price levels a side.",
                        {"type": "integer", "minimum": 1, "maximum": LEVELS_MAX, "default": LEVELS},
                    ),
                ),
                replies={200: OutsideDepthReply},
                problems=(INVALID_FIELD, NO_MARKET, MARKET_STALE),
            ),
        )

    async def market_order(self, call: Call) -> Reply:
        """`POST /market`."""
        headers = self._charge(call)
        request = _read(call.body)
        amount = _amount(request.amount)
        market = self._followed()
        reading = market.reading()
        if reading is None or reading.stale:
            return _stale(market, reading)
        levels = reading.asks if request.side == "buy" else reading.bids
        quote = walk(request.side, levels.best_first(), amount)
        return Reply(200, _encode(_reply(quote)), headers)

    async def depth(self, call: Call) -> Reply:
        """`GET /market/depth`. A stale book is shown, too, and says so."""
        headers = self._charge(call)
        levels = integer("levels", call.query.get("levels", str(LEVELS)), 1, LEVELS_MAX)
        market = self._followed()
        reading = market.reading()
        if reading is None:
            return _stale(market, reading)
        reply = OutsideDepthReply(
            market.symbol,
            reading.source,
            reading.update_id,
            round(reading.age_s, 3),
            reading.stale,
            _levels(reading.bids, levels),
            _levels(reading.asks, levels),
        )
        return Reply(200, _encode(reply), headers)

    def _charge(self, call: Call) -> tuple[tuple[str, str], ...]:
        """A token of the address. Raises `RateLimited`."""
        taken = self._buckets.take(network(call.address))
        if not taken.allowed:
            raise RateLimited("address", taken)
        return taken.headers()

    def _followed(self) -> OutsideMarket:
        if self._market is None:
            raise RequestRefused(
                NO_MARKET, "no outside market is followed: start the exchange with --feed binance"
            )
        return self._market


def _amount(value: Raw) -> int:
    """In 10**-8. Raises `InvalidField`."""
    text = number_text("amount", value)
    if text is None:
        raise InvalidField("amount", "is required")
    try:
        amount = parse(text, SCALE)
    except DecimalError as error:
        raise InvalidField("amount", str(error)) from None
    if amount <= 0:
        raise InvalidField("amount", "must be greater than zero")
    return amount


def _stale(market: OutsideMarket, reading: Reading | None) -> Reply:
    if reading is None:
        told = f"nothing is known of {market.symbol} yet"
    else:
        told = f"{market.symbol} was last heard of {reading.age_s:.1f} s ago"
    return problem(MARKET_STALE, told, retry_after_s=RETRY_S)


def _reply(quote: Quote) -> MarketReply:
    return MarketReply(
        _number(quote.filled),
        _number_or_null(quote.average_price),
        _number_or_null(quote.slippage_percent),
        quote.status,
    )


def _levels(levels: Levels, most: int) -> list[tuple[Number, Number]]:
    return [
        (_number(price), _number(quantity)) for price, quantity in islice(levels.best_first(), most)
    ]


def _number(value: int) -> Raw:
    return Raw(render(value, SCALE).encode())


def _number_or_null(value: int | None) -> Raw:
    return NULL if value is None else _number(value)
