"""Binance's REST interface through ccxt, which is synchronous: one call at a time, in a thread."""

from collections.abc import Mapping
from functools import partial
from math import isfinite
from typing import Any, Final, Protocol

import trio

from tradeclear.venues.errors import VenueBusy, VenueRefused, VenueUnavailable
from tradeclear.venues.messages import MessageUnreadable, Snapshot, read_levels

REQUEST_S_MAX: Final = 10.0
QUIET_S: Final = 30.0
"""How long nothing is asked after a refusal that does not say how long."""

QUIET_S_MAX: Final = 3600.0


class Snapshots(Protocol):
    """Where snapshots of a book come from."""

    async def depth(self, levels: int) -> Snapshot:
        """The best levels now. Raises `VenueUnavailable` or `VenueRefused`."""


class Binance:
    """One symbol of Binance. Making one imports ccxt, which takes a moment."""

    def __init__(self, symbol: str, *, url: str | None = None) -> None:
        """`symbol` as ccxt writes it, BTC/USDT; `url` takes the place of https://api.binance.com.

        Raises `ImportError` without ccxt.
        """
        import ccxt  # type: ignore[import-untyped]  # it ships no types

        self._ccxt: Final[Any] = ccxt
        # We count requests ourselves: a poll now and then, a snapshot when the stream lost step.
        self._exchange: Final[Any] = ccxt.binance(
            {"enableRateLimit": False, "timeout": int(REQUEST_S_MAX * 1000)}
        )
        if url is not None:
            self._exchange.urls["api"]["public"] = url.rstrip("/") + "/api/v3"
        self._symbol: Final = venue_symbol(symbol)
        self._one: Final = trio.CapacityLimiter(1)
        self._quiet_until = 0.0

    async def depth(self, levels: int) -> Snapshot:
        """The best `levels` of both sides. Raises `VenueUnavailable` or `VenueRefused`.

        Cancelled, the request may go on in its thread; its answer is dropped.
        """
        if (left_s := self._quiet_until - trio.current_time()) > 0:
            raise VenueBusy("the venue asked for quiet", left_s)
        fetch = partial(self._fetch, levels)
        try:
            return await trio.to_thread.run_sync(fetch, abandon_on_cancel=True, limiter=self._one)
        except VenueBusy as error:
            self._quiet_until = trio.current_time() + error.retry_after_s
            raise

    def _fetch(self, levels: int) -> Snapshot:
        """Blocking.

        By ccxt's method for this very route, since its `fetch_order_book` makes floats of numbers.
        """
        ccxt = self._ccxt
        try:
            told = self._exchange.public_get_depth({"symbol": self._symbol, "limit": levels})
        except (ccxt.DDoSProtection, ccxt.RateLimitExceeded) as error:
            raise VenueBusy(_short(error), self._retry_after_s()) from None
        except (ccxt.BadSymbol, ccxt.BadRequest) as error:
            raise VenueRefused(_short(error)) from None
        except ccxt.BaseError as error:
            raise VenueUnavailable(_short(error)) from None
        try:
            bids, asks = read_levels(told["bids"]), read_levels(told["asks"])
            return Snapshot(int(told["lastUpdateId"]), bids, asks)
        except (MessageUnreadable, LookupError, TypeError, ValueError) as error:
            raise VenueUnavailable(f"the answer is no order book: {error}") from None

    def _retry_after_s(self) -> float:
        headers: Mapping[str, str] = self._exchange.last_response_headers or {}
        told = next((v for name, v in headers.items() if name.lower() == "retry-after"), "")
        try:
            seconds = float(told)
        except ValueError:
            return QUIET_S
        return min(max(seconds, 1.0), QUIET_S_MAX) if isfinite(seconds) else QUIET_S


def venue_symbol(symbol: str) -> str:
    """BTC/USDT as Binance writes it: BTCUSDT."""
    return symbol.replace("/", "")


def _short(error: Exception) -> str:
    """What ccxt says, which may hold a whole page of HTML."""
    return f"{type(error).__name__}: {str(error)[:200]}"
