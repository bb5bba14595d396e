"""`WS /ws/depth` on the followed market: the top ten, then what changed, then nothing stale."""

from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from tradeclear.gateway.copies.socket import PATH, copy_socket
from tradeclear.venues.book import Book
from tradeclear.venues.copies import MarketCopies
from tradeclear.venues.market import Market
from tradeclear.venues.web_socket import connect_socket

UNIT = 10**8
CONNECTIONS_MAX = 3
WAIT_S = 5


class Ticking:
    """A market on a real server; one bid level a price, from the best down."""

    def __init__(self, url: str, market: Market, copies: MarketCopies) -> None:
        self.url = url.replace("http", "ws") + PATH
        self.market = market
        self.copies = copies
        self.updates = 0

    def show(self, *prices: int, quantity: int = 1) -> None:
        self.updates += 1
        bids = [(price * UNIT, quantity * UNIT) for price in prices]
        self.market.streamed(Book(self.updates, bids, [(1_000 * UNIT, UNIT // 2)]))


@pytest.fixture
def market() -> Market:
    return Market("BTCUSDT", stale_after_s=5)


@pytest.fixture
async def ticking(house: Any, start_server: Any, market: Market) -> Ticking:
    copies = MarketCopies(market)
    socket = copy_socket(copies, CONNECTIONS_MAX)
    server = await start_server(house.app(sockets={PATH: socket}))
    return Ticking(server.url, market, copies)


async def said(socket: WebSocketConnection) -> str:
    with trio.fail_after(WAIT_S):
        return str(await socket.get_message())


async def farewell(socket: WebSocketConnection) -> tuple[int, str | None]:
    """How the server closes, whatever it says before."""
    with trio.fail_after(WAIT_S):
        while socket.closed is None:
            with suppress(ConnectionClosed):
                await socket.get_message()
    return socket.closed.code, socket.closed.reason


async def test_the_top_ten_then_only_what_changed(ticking: Ticking) -> None:
    ticking.show(*range(20, 8, -1))
    async with connect_socket(ticking.url) as socket:
        top = ",".join(f"[{price},1]" for price in range(20, 10, -1))
        assert await said(socket) == f'{{"bids":[{top}],"asks":[[1000,0.5]]}}'
        ticking.show(*range(20, 8, -1))  # nothing changed: nothing is said
        ticking.show(21, *range(20, 8, -1))
        assert await said(socket) == '{"bids":[[11,0],[21,1]],"asks":[]}', "11 left the top ten"
        ticking.show(*range(20, 8, -1), quantity=1)
        assert await said(socket) == '{"bids":[[21,0],[11,1]],"asks":[]}'


async def test_messages_are_answered_and_nothing_crashes(ticking: Ticking) -> None:
    ticking.show(10)
    async with connect_socket(ticking.url) as socket:
        whole = await said(socket)
        await socket.send_message('{"subscribe":"BTCUSDT"}')
        assert await said(socket) == '{"subscribed":"BTCUSDT"}'
        assert await said(socket) == whole
        for text in ('{"subscribe":"NOPE"}', '{"subscribe":7}', "hello", b"\x00\xff", "[" * 9_999):
            await socket.send_message(text)
            assert (await said(socket)).startswith('{"error":')
        ticking.show(11)
        assert await said(socket) == '{"bids":[[10,0],[11,1]],"asks":[]}'


async def test_one_too_many_is_refused_with_a_reason(ticking: Ticking) -> None:
    ticking.show(10)
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS_MAX):
            socket = await stack.enter_async_context(connect_socket(ticking.url))
            await said(socket)
        async with connect_socket(ticking.url) as late:
            assert await farewell(late) == (1013, "too many connections: come back later")
    async with connect_socket(ticking.url) as socket:
        assert "[10,1]" in await said(socket), "those who left still count"


async def test_nothing_stale_is_shown(ticking: Ticking, monkeypatch: pytest.MonkeyPatch) -> None:
    ticking.show(10)
    async with connect_socket(ticking.url) as socket:
        await said(socket)
        ticking.market._stale_after_s = -1  # type: ignore[misc]
        ticking.market.changed()
        code, reason = await farewell(socket)
        assert code == 1013
        assert reason is not None
        assert reason.startswith("BTCUSDT was last heard of")
    async with connect_socket(ticking.url) as socket:
        assert (await farewell(socket))[0] == 1013


async def test_when_the_exchange_stops_all_are_told(ticking: Ticking) -> None:
    ticking.show(10)
    async with connect_socket(ticking.url) as socket:
        await said(socket)
        ticking.copies.close()
        assert await farewell(socket) == (1013, "the exchange is stopping")


async def test_without_a_feed_it_says_so(house: Any, start_server: Any) -> None:
    server = await start_server(house.app(sockets={PATH: copy_socket(MarketCopies(None), 3)}))
    async with connect_socket(server.url.replace("http", "ws") + PATH) as socket:
        code, reason = await farewell(socket)
    assert (code, reason) == (1013, "no outside market is followed: start with --feed binance")
