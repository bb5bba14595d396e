"""What everybody may see: the book, the trades, the instruments."""

from functools import partial
from typing import Final

import msgspec
from msgspec import Struct

from tradeclear.core.depth import DepthLevel
from tradeclear.gateway.decode import RequestRefused
from tradeclear.gateway.fields import INTEGER_DIGITS_MAX, integer
from tradeclear.gateway.orders import find_instrument
from tradeclear.gateway.problems import AGED_OUT, INVALID_FIELD, OUTCOME_UNKNOWN, Reply
from tradeclear.gateway.reads import list_trades, read_depth, trades_forgotten
from tradeclear.gateway.routing import Call, Parameter, Route
from tradeclear.gateway.views import (
    Number,
    TradeView,
    notional_digits,
    price_digits,
    quantity_digits,
    time_text,
    trade_view,
)
from tradeclear.model.instrument import Instrument
from tradeclear.model.trade import Trade
from tradeclear.pipeline.exchange import Exchange

LEVELS: Final = 20
LEVELS_MAX: Final = 1_000
PAGE_TRADES: Final = 50
PAGE_TRADES_MAX: Final = 1_000

_INSTRUMENT: Final = Parameter("instrument", "The first of the configuration if left out.")
_LEVELS: Final = Parameter(
    "levels",
    "At most so many price levels a side.",
    {"type": "integer", "minimum": 1, "maximum": LEVELS_MAX, "default": LEVELS},
)
_TRADE_PARAMETERS: Final = (
    Parameter(
        "limit",
        "At most so many trades.",
        {"type": "integer", "minimum": 1, "maximum": PAGE_TRADES_MAX, "default": PAGE_TRADES},
    ),
    Parameter("instrument", "Only of this instrument."),
    Parameter("before", "Only trades older than this trade id.", {"type": "integer", "minimum": 1}),
)


class LevelView(Struct, frozen=True):
    """A price level; cumulative figures are over it and all better ones."""

    price: Number
    quantity: Number
    orders: int
    cumulative_quantity: Number
    cumulative_notional: Number


class BookReply(Struct, frozen=True):
    """Both sides of a book, best first, as they were after the command `sequence`."""

    instrument: str
    sequence: int
    bids: list[LevelView]
    asks: list[LevelView]


class TradesReply(Struct, frozen=True):
    """Trades, newest first."""

    trades: list[TradeView]


class InstrumentView(Struct, frozen=True):
    """What can be ordered. Prices are multiples of the tick, quantities of the lot."""

    instrument: str
    tick_size: Number
    lot_size: Number
    price_max: Number
    quantity_min: Number
    quantity_max: Number
    notional_min: Number
    notional_max: Number
    trading: bool


class InstrumentsReply(Struct, frozen=True):
    """Every instrument, in the order of the configuration."""

    instruments: list[InstrumentView]


_encode: Final = msgspec.json.Encoder().encode


class MarketData:
    """The routes that read the market."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange: Final = exchange

    def routes(self) -> tuple[Route, ...]:
        """What is mounted."""
        return (
            Route(
                method="GET",
                path="/orderbook",
                name="orderbook",
                summary="The order book's best levels",
                tag="market data",
                endpoint=self.orderbook,
                parameters=(_INSTRUMENT, _LEVELS),
                replies={200: BookReply},
                problems=(INVALID_FIELD, OUTCOME_UNKNOWN),
            ),
            Route(
                method="GET",
                path="/trades",
                name="trades",
                summary="Trades, newest first",
                tag="market data",
                endpoint=self.trades,
                parameters=_TRADE_PARAMETERS,
                replies={200: TradesReply},
                problems=(INVALID_FIELD, AGED_OUT, OUTCOME_UNKNOWN),
            ),
            Route(
                method="GET",
                path="/instruments",
                name="instruments",
                summary="The instruments and their limits",
                tag="market data",
                endpoint=self.instruments,
                replies={200: InstrumentsReply},
            ),
        )

    async def orderbook(self, call: Call) -> Reply:
        """`GET /orderbook`."""
        levels = integer("levels", call.query.get("levels", str(LEVELS)), 1, LEVELS_MAX)
        instrument = find_instrument(self._exchange, call.query.get("instrument"))
        seq, depth = await self._exchange.query(
            partial(read_depth, instrument=instrument.name, levels=levels)
        )
        bids = [_level(level, instrument) for level in depth.bids]
        asks = [_level(level, instrument) for level in depth.asks]
        return Reply(200, _encode(BookReply(instrument.name, seq, bids, asks)))

    async def trades(self, call: Call) -> Reply:
        """`GET /trades`."""
        query = call.query
        limit = integer("limit", query.get("limit", str(PAGE_TRADES)), 1, PAGE_TRADES_MAX)
        name = query.get("instrument")
        if name is not None:
            find_instrument(self._exchange, name)
        before: int | None = None
        if "before" in query:
            before = integer("before", query["before"], 1, 10**INTEGER_DIGITS_MAX)
            if await self._exchange.query(partial(trades_forgotten, before=before)):
                raise RequestRefused(AGED_OUT, f"trades before {before} are remembered no more")
        found: list[Trade] = []
        while len(found) < limit:
            page = await self._exchange.query(
                partial(list_trades, instrument=name, before=before, limit=limit - len(found))
            )
            found += page.trades
            before = page.before
            if before is None:
                break
        return Reply(200, _encode(TradesReply([self._trade(trade) for trade in found])))

    def _trade(self, trade: Trade) -> TradeView:
        instrument = self._exchange.instrument(trade.executed.instrument)
        assert instrument is not None, f"{trade.executed.instrument} is not configured"
        return trade_view(trade.executed, trade.sequence, time_text(trade.timestamp), instrument)

    async def instruments(self, _call: Call) -> Reply:
        """`GET /instruments`."""
        views = [_instrument(one) for one in self._exchange.instruments()]
        return Reply(200, _encode(InstrumentsReply(views)))


def _level(level: DepthLevel, instrument: Instrument) -> LevelView:
    return LevelView(
        price_digits(instrument, level.price),
        quantity_digits(instrument, level.quantity),
        level.orders,
        quantity_digits(instrument, level.cumulative_quantity),
        notional_digits(instrument, level.cumulative_notional),
    )


def _instrument(one: Instrument) -> InstrumentView:
    return InstrumentView(
        one.name,
        price_digits(one, 1),
        quantity_digits(one, 1),
        price_digits(one, one.price_ticks_max),
        quantity_digits(one, one.quantity_lots_min),
        quantity_digits(one, one.quantity_lots_max),
        notional_digits(one, one.notional_min),
        notional_digits(one, one.notional_max),
        one.trading,
    )
