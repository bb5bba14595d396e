"""The exchange behind its API."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec
import trio

from lobster.record import Best, Side
from lobster.requests import Amend, Answer, Cancel, Fill, Look, Place, Request
from tradeclear.testing.server import Connection, Reply

PAGE: Final = 1_000


class ShownLevel(msgspec.Struct):
    """A level of GET /orderbook."""

    price: Decimal
    quantity: Decimal


class ShownBook(msgspec.Struct):
    """GET /orderbook, as far as it matters here."""

    bids: list[ShownLevel]
    asks: list[ShownLevel]


class ShownTrade(msgspec.Struct):
    """A trade in an order's reply."""

    maker_order_id: str
    price: Decimal
    quantity: Decimal


class ShownOutcome(msgspec.Struct):
    """The reply to an order, a cancel or an amend, as far as it matters here."""

    trades: list[ShownTrade] = []


_book = msgspec.json.Decoder(ShownBook)
_outcome = msgspec.json.Decoder(ShownOutcome)


class Refused(Exception):
    """The server answered a request of the replay with an error."""


class Api:
    """Carries out the replay's requests over HTTP, one at a time, orders and reads apart.

    Reads may be answered by another part of the server than orders, which keeps the connection.
    """

    def __init__(
        self, orders: Connection, changes: Connection, reads: Connection, instrument: str
    ) -> None:
        self._orders = orders
        self._changes = changes
        self._reads = reads
        self.instrument = instrument
        self.requests = 0

    async def answer(self, request: Request) -> Answer:
        match request:
            case Look():
                return await self._best()
            case Place():
                return await self._place(request)
            case Cancel(order_id):
                path = f"/orders/{quote(order_id)}/cancel"
                return fills_of(await self._call(self._changes, "POST", path))
            case Amend(order_id, quantity):
                path, body = f"/orders/{quote(order_id)}", b'{"quantity":%d}' % quantity
                return fills_of(await self._call(self._changes, "PATCH", path, body))

    async def _place(self, order: Place) -> list[Fill]:
        body = {
            "order_id": order.order_id,
            "client_id": "lobster",
            "instrument": self.instrument,
            "side": order.side,
            "type": "limit",
            "price": price_text(order.price),
            "quantity": order.quantity,
            "idempotency_key": order.order_id,
        }
        return fills_of(
            await self._call(self._orders, "POST", "/orders", msgspec.json.encode(body))
        )

    async def _best(self) -> Best:
        reply = await self.get(f"/orderbook?instrument={quote(self.instrument)}&levels=1")
        book = _book.decode(reply.body)
        if not book.asks or not book.bids:
            raise Refused(f"a side of the book is empty: {reply.body!r}")
        ask, bid = book.asks[0], book.bids[0]
        return Best(
            shown_cents(ask.price), int(ask.quantity), shown_cents(bid.price), int(bid.quantity)
        )

    async def get(self, path: str) -> Reply:
        return await self._call(self._reads, "GET", path)

    async def post(self, path: str) -> Reply:
        return await self._call(self._reads, "POST", path)

    async def _call(
        self, connection: Connection, method: str, path: str, body: bytes = b""
    ) -> Reply:
        """One request; comes again when told that it came too fast. Raises `Refused`."""
        while True:
            self.requests += 1
            reply = await connection.request(method, path, body)
            if reply.status != 429:
                break
            await trio.sleep(float(reply.headers["retry-after"]))
        if not 200 <= reply.status < 300:
            raise Refused(f"{method} {path} {body!r}: {reply.status} {reply.body!r}")
        return reply


@asynccontextmanager
async def open_api(url: str, instrument: str) -> AsyncGenerator[Api]:
    """Connections to the server at `url`."""
    address = urlsplit(url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    async with AsyncExitStack() as stack:
        orders, changes, reads = [
            await stack.enter_async_context(await Connection.open(host, port)) for _ in range(3)
        ]
        yield Api(orders, changes, reads, instrument)


def fills_of(reply: Reply) -> list[Fill]:
    return [
        Fill(trade.maker_order_id, shown_cents(trade.price), int(trade.quantity))
        for trade in _outcome.decode(reply.body).trades
    ]


def price_text(price: int) -> str:
    return f"{price // 100}.{price % 100:02}"


def shown_cents(price: Decimal) -> int:
    return int(price * 100)


def configuration(instrument: str) -> str:
    """What a server must be configured with, as TOML."""
    return (
        f'[[instruments]]\nname = "{instrument}"\ntick_size = "0.01"\nlot_size = "1"\n'
        'price_max = "100000"\nquantity_max = "1000000"\n'
    )


async def check_instrument(api: Api) -> None:
    """End with a hint unless the instrument is there, on the grid of the record, and untouched."""
    found = (await api.get("/instruments")).json()["instruments"]
    mine = [one for one in found if one["instrument"] == api.instrument]
    if not mine or (mine[0]["tick_size"], mine[0]["lot_size"]) != (Decimal("0.01"), 1):
        raise SystemExit(
            f"the server has no {api.instrument} with tick 0.01 and lot 1; put this into its "
            f"configuration file:\n\n{configuration(api.instrument)}"
        )
    if any((await show_book(api)).values()):
        raise SystemExit(f"the book of {api.instrument} is not empty: replay on a fresh log")


async def show_book(api: Api) -> dict[Side, list[tuple[int, int]]]:
    reply = await api.get(f"/orderbook?instrument={quote(api.instrument)}&levels={PAGE}")
    book = _book.decode(reply.body)
    return {
        "buy": [(shown_cents(level.price), int(level.quantity)) for level in book.bids],
        "sell": [(shown_cents(level.price), int(level.quantity)) for level in book.asks],
    }
