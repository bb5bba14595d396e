"""Binance's REST interface, as much of it as clients need, and the simulator's own routes."""

from collections.abc import Callable, Mapping
from time import time
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
import trio
from msgspec import Struct

from tradeclear.testing.venue_sim.faults import Fault, FaultUnreadable
from tradeclear.testing.venue_sim.venue import Venue

LEVELS: Final = 100
LEVELS_MAX: Final = 5_000

Query = Mapping[str, str]


class SimReply(Struct, frozen=True):
    """What is answered."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class _Refused(Exception):
    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class Rest:
    """Answers requests about `venue`."""

    def __init__(self, venue: Venue) -> None:
        self.asked = 0
        self._venue: Final = venue
        self._routes: Final[dict[str, Callable[[Query], Any]]] = {
            "/api/v3/ping": lambda query: {},
            "/api/v3/time": lambda query: {"serverTime": now_ms()},
            "/api/v3/exchangeInfo": self._exchange_info,
            "/api/v3/depth": self._depth,
            "/api/v3/ticker/24hr": self._day,
            "/api/v3/ticker/price": self._price,
            "/api/v3/ticker/bookTicker": self._ticker,
            # A client that loads all of Binance's markets asks for the futures' as well.
            "/fapi/v1/exchangeInfo": lambda query: {"symbols": []},
            "/dapi/v1/exchangeInfo": lambda query: {"symbols": []},
        }

    async def answer(self, method: str, target: str, body: bytes) -> SimReply:
        """The reply to a request, late or not at all right if that is ordered."""
        parts = urlsplit(target)
        if parts.path.startswith("/sim/"):
            return self._control(method, parts.path, body)
        self.asked += 1
        faults, now = self._venue.faults, trio.current_time()
        if late := faults.take("slow", now):
            await trio.sleep(late.delay_s)
        if fault := faults.take("status", now):
            return _fault_reply(fault)
        return self._plain(method, parts.path, dict(parse_qsl(parts.query)))

    def _plain(self, method: str, path: str, query: Query) -> SimReply:
        route = self._routes.get(path)
        if route is None or method != "GET":
            return _reply(404, {"code": -1000, "msg": f"the simulator has no {method} {path}"})
        try:
            return _reply(200, route(query), (("X-MBX-USED-WEIGHT-1M", str(self.asked)),))
        except _Refused as refused:
            return _reply(400, {"code": refused.code, "msg": str(refused)})

    def _control(self, method: str, path: str, body: bytes) -> SimReply:
        """The simulator's own routes."""
        venue, now = self._venue, trio.current_time()
        if path == "/sim/state" and method == "GET":
            return _reply(200, self._state())
        if path == "/sim/faults" and method == "GET":
            return _reply(200, {"faults": venue.faults.to_come(now)})
        if path == "/sim/faults" and method == "DELETE":
            venue.faults.clear()
            return _reply(200, {"faults": []})
        if path == "/sim/faults" and method == "POST":
            try:
                venue.faults.order(msgspec.json.decode(body, type=Fault), now)
            except (msgspec.DecodeError, UnicodeDecodeError, FaultUnreadable) as error:
                return _reply(400, {"msg": str(error)})
            return _reply(201, {"faults": venue.faults.to_come(now)})
        return _reply(404, {"msg": "GET /sim/state; GET, POST, DELETE /sim/faults"})

    def _state(self) -> dict[str, Any]:
        venue = self._venue
        return {
            "symbol": venue.symbol,
            "update_id": venue.book.update_id,
            "position_s": round(venue.position_s, 3),
            "published": venue.published,
            "sent": venue.hub.sent,
            "subscribers": len(venue.hub.subscribers),
            "requests": self.asked,
            "happened": venue.faults.happened,
            "ended": venue.ended.is_set(),
        }

    def _exchange_info(self, query: Query) -> Any:
        symbol = self._venue.symbol
        base, quote = split_symbol(symbol)
        return {
            "timezone": "UTC",
            "serverTime": now_ms(),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [
                {
                    "symbol": symbol,
                    "status": "TRADING",
                    "baseAsset": base,
                    "baseAssetPrecision": 8,
                    "quoteAsset": quote,
                    "quotePrecision": 8,
                    "quoteAssetPrecision": 8,
                    "orderTypes": ["LIMIT", "MARKET"],
                    "isSpotTradingAllowed": True,
                    "isMarginTradingAllowed": False,
                    "filters": [
                        {
                            "filterType": "PRICE_FILTER",
                            "minPrice": "0.01000000",
                            "maxPrice": "1000000.00000000",
                            "tickSize": "0.01000000",
                        },
                        {
                            "filterType": "LOT_SIZE",
                            "minQty": "0.00001000",
                            "maxQty": "9000.00000000",
                            "stepSize": "0.00001000",
                        },
                    ],
                    "permissions": ["SPOT"],
                    "permissionSets": [["SPOT"]],
                }
            ],
        }

    def _depth(self, query: Query) -> Any:
        self._check_symbol(query)
        text = query.get("limit", str(LEVELS))
        if not text.isdigit() or not 1 <= int(text) <= LEVELS_MAX:
            raise _Refused(-1100, "Illegal characters found in parameter 'limit'.")
        levels = int(text)
        self._venue.snapshot_asked(levels)
        book = self._venue.book
        return {
            "lastUpdateId": book.update_id,
            "bids": book.bids(levels),
            "asks": book.asks(levels),
        }

    def _day(self, query: Query) -> Any:
        return {
            **self._ticker(query),
            "lastPrice": self._last(),
            "openTime": 0,
            "closeTime": now_ms(),
        }

    def _price(self, query: Query) -> Any:
        self._check_symbol(query)
        return {"symbol": self._venue.symbol, "price": self._last()}

    def _ticker(self, query: Query) -> Any:
        self._check_symbol(query)
        bids, asks = self._venue.book.bids(1), self._venue.book.asks(1)
        bid, ask = bids[0] if bids else ("0", "0"), asks[0] if asks else ("0", "0")
        return {
            "symbol": self._venue.symbol,
            "bidPrice": bid[0],
            "bidQty": bid[1],
            "askPrice": ask[0],
            "askQty": ask[1],
        }

    def _last(self) -> str:
        bids = self._venue.book.bids(1)
        return bids[0][0] if bids else "0.00000000"

    def _check_symbol(self, query: Query) -> None:
        if "symbol" not in query:
            raise _Refused(-1102, "Mandatory parameter 'symbol' was not sent.")
        if query["symbol"] != self._venue.symbol:
            raise _Refused(-1121, "Invalid symbol.")


def _fault_reply(fault: Fault) -> SimReply:
    headers = ()
    code, words = -1000, "An unknown error occurred while processing the request."
    if fault.status in (418, 429):
        code, words = -1003, "Way too much request weight used; IP banned."
        seconds = 1 if fault.retry_after_s is None else fault.retry_after_s
        return _reply(fault.status, {"code": code, "msg": words}, (("Retry-After", str(seconds)),))
    return _reply(fault.status, {"code": code, "msg": words}, headers)


def _reply(status: int, told: Any, headers: tuple[tuple[str, str], ...] = ()) -> SimReply:
    return SimReply(status, msgspec.json.encode(told), headers)


def split_symbol(symbol: str) -> tuple[str, str]:
    """BTCUSDT as BTC and USDT."""
    for quote in ("USDT", "USDC", "FDUSD", "BTC", "ETH", "EUR"):
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol.removesuffix(quote), quote
    return symbol[:3], symbol[3:]


def now_ms() -> int:
    """Wall clock."""
    return int(time() * 1000)
