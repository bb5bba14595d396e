"""A socket is really closed in the end, whoever closes it, and trouble is one exception."""

import socket as sockets
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from tradeclear.venues.errors import VenueUnavailable
from tradeclear.venues.web_socket import connect_socket

Handler = Callable[[WebSocketRequest], Awaitable[None]]


@pytest.fixture
async def serving() -> AsyncIterator[Any]:
    """`url = await serving(handler)`."""
    async with trio.open_nursery() as nursery:

        async def serve(handler: Handler) -> str:
            serve_it = partial(serve_websocket, handler, "127.0.0.1", 0, None)
            server = await nursery.start(serve_it)
            return f"ws://127.0.0.1:{server.port}/stream?streams=x"

        yield serve
        nursery.cancel_scope.cancel()


async def test_what_the_other_side_closes_is_closed(serving: Any) -> None:
    async def close(request: WebSocketRequest) -> None:
        assert request.path == "/stream?streams=x"
        await (await request.accept()).aclose(1001, "enough")

    async with connect_socket(await serving(close)) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.get_message()
        stream = socket._stream
    assert isinstance(stream, trio.SocketStream)
    assert stream.socket.fileno() == -1


async def test_a_ping_while_we_close_breaks_nothing(serving: Any) -> None:
    async def ping(request: WebSocketRequest) -> None:
        socket = await request.accept()
        while True:
            await socket.send_message("x")
            await socket.ping()

    for _ in range(20):
        async with connect_socket(await serving(ping)) as socket:
            await socket.get_message()


async def test_a_port_that_nobody_listens_on_and_one_that_speaks_otherwise() -> None:
    with sockets.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(VenueUnavailable, match="can't connect"):
            async with connect_socket(f"ws://127.0.0.1:{bound.getsockname()[1]}/"):
                pass


async def test_a_server_that_refuses(serving: Any) -> None:
    async def refuse(request: WebSocketRequest) -> None:
        await request.reject(403)

    url = await serving(refuse)
    with pytest.raises(VenueUnavailable, match="no WebSocket"):
        async with connect_socket(url):
            pass


async def test_a_plain_server_has_no_tls(serving: Any) -> None:
    async def accept(request: WebSocketRequest) -> None:
        await request.accept()

    url = (await serving(accept)).replace("ws://", "wss://")
    with pytest.raises(VenueUnavailable, match="can't connect"):
        async with connect_socket(url):
            pass
