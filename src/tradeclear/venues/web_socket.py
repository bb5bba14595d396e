"""A WebSocket to a venue that is open for the length of a block, and then really closed.

The library's own way leaves the TCP connection open, for the garbage collector to find, when it was
the other side that closed the WebSocket.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import SplitResult, urlsplit

import trio
from trio_websocket import (
    ConnectionClosed,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)
from wsproto.utilities import LocalProtocolError

from tradeclear.venues.errors import VenueUnavailable

CONNECT_S_MAX: Final = 10.0
DISCONNECT_S_MAX: Final = 1.0
MESSAGE_BYTES_MAX: Final = 1_048_576

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


@asynccontextmanager
async def connect_socket(url: str) -> AsyncIterator[WebSocketConnection]:
    """A WebSocket to `url`, ws:// or wss://. Raises `VenueUnavailable` if it can't be had.

    On the way out, or cancelled, the other side is told for a second at most.
    """
    parts = urlsplit(url)
    try:
        with trio.fail_after(CONNECT_S_MAX):
            stream = await _open_stream(parts)
    except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
        raise VenueUnavailable(f"can't connect to {parts.netloc}: {error!r}") from None
    async with open_over(stream, url) as socket:
        yield socket


@asynccontextmanager
async def open_over(stream: Stream, url: str) -> AsyncIterator[WebSocketConnection]:
    """The same over a `stream` that is there, and is closed afterwards."""
    parts = urlsplit(url)
    failure: Exception | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                with trio.fail_after(CONNECT_S_MAX):
                    resource = f"{parts.path or '/'}?{parts.query}"
                    socket = await wrap_client_stream(
                        nursery,
                        stream,
                        parts.netloc,
                        resource,
                        max_message_size=MESSAGE_BYTES_MAX,
                    )
            except (HandshakeError, ConnectionClosed, trio.TooSlowError) as error:
                failure = error  # out of here, it would be in a group
            else:
                yield socket
                with trio.move_on_after(DISCONNECT_S_MAX):
                    await socket.aclose()
            nursery.cancel_scope.cancel()
    except* HandshakeError as refused:
        failure = refused
    except* LocalProtocolError:
        pass  # a ping came while we were closing: the library can't answer it, and fails
    finally:
        await trio.aclose_forcefully(stream)
    if failure is not None:
        raise VenueUnavailable(f"no WebSocket at {parts.netloc}: {failure!r}") from None


async def _open_stream(parts: SplitResult) -> Stream:
    assert parts.hostname is not None, "the settings let no URL pass without a host"
    if parts.scheme == "ws":
        return await trio.open_tcp_stream(parts.hostname, parts.port or 80)
    stream = await trio.open_ssl_over_tcp_stream(
        parts.hostname,
        parts.port or 443,
        ssl_context=ssl.create_default_context(),
        https_compatible=True,
    )
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream
