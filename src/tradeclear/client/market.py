"""What everybody may see: books, trades, instruments, one request each."""

from decimal import Decimal
from typing import Final

from msgspec import Struct

from tradeclear.client.answer import Answer
from tradeclear.client.http import Http
from tradeclear.client.instrument import Instrument
from tradeclear.client.persistence import persist
from tradeclear.client.trade import Trade
from tradeclear.model.units import Seq


class CumulativeLevel(Struct, frozen=True, kw_only=True):
    """A price level; cumulative figures are over it and all better ones."""

    price: Decimal
    quantity: Decimal
    orders: int
    cumulative_quantity: Decimal
    cumulative_notional: Decimal


class OrderBook(Struct, frozen=True, kw_only=True):
    """Both sides of a book, best first, as they were after the command `sequence`."""

    instrument: str
    sequence: Seq
    bids: tuple[CumulativeLevel, ...]
    asks: tuple[CumulativeLevel, ...]


class _Trades(Struct, frozen=True):
    trades: tuple[Trade, ...]


class _Instruments(Struct, frozen=True):
    instruments: tuple[Instrument, ...]


class Market:
    """Market data by request. Raises what `persist` does for a thing without a key."""

    def __init__(self, http: Http) -> None:
        self._http: Final = http

    async def orderbook(self, instrument: str | None = None, *, levels: int = 20) -> OrderBook:
        """The best `levels` (1 to 1,000) of both sides, of the first instrument if None."""
        query: dict[str, str | int] = {"levels": levels}
        if instrument is not None:
            query["instrument"] = instrument
        return (await self._get("/orderbook", query)).read(OrderBook)

    async def trades(
        self, instrument: str | None = None, *, limit: int = 50, before: int | None = None
    ) -> tuple[Trade, ...]:
        """At most `limit` (1 to 1,000) trades, newest first, of all instruments if None.

        `before`: only those that are older than this trade id.
        """
        query: dict[str, str | int] = {"limit": limit}
        if instrument is not None:
            query["instrument"] = instrument
        if before is not None:
            query["before"] = before
        return (await self._get("/trades", query)).read(_Trades).trades

    async def instruments(self) -> tuple[Instrument, ...]:
        """Every instrument, in the order of the configuration."""
        return (await self._get("/instruments", {})).read(_Instruments).instruments

    async def _get(self, path: str, query: dict[str, str | int]) -> Answer:
        async def attempt() -> Answer:
            return await self._http.ask("GET", path, query)

        return await persist(attempt, self._http.patience)
