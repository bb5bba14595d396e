"""A WebSocket to the exchange: texts out, texts in, and a loss that is always noticed."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import h11
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_client_stream,
)
from wsproto.utilities import ProtocolError

from tradeclear.client.answer import GATEWAY_STATUSES, Answer
from tradeclear.client.end_told import EndTold
from tradeclear.client.errors import Disconnected, NotUnderstood, Refused, Unreachable
from tradeclear.client.tending import tended_nursery

CONNECT_S_MAX: Final = 10.0
CLOSE_S_MAX: Final = 1.0
PING_S: Final = 10.0
PONG_S_MAX: Final = 5.0
"""A ping after so long without a message; lost, after so long without an answer to it."""

QUEUE_MESSAGES: Final = 16
"""So many messages are decoded ahead; behind them the network's own buffers fill."""

MESSAGE_BYTES_MAX: Final = 32 * 1024 * 1024
"""A command that makes 10,000 trades is told in about 6 MB."""

RECEIVE_BYTES: Final = 65_536

IMPROPER: Final = (ProtocolError, h11.ProtocolError)
"""What trio-websocket's own tasks raise when the other side speaks no WebSocket."""


class WebSocket:
    """An open connection. Send from one task, receive in another."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection: Final = connection

    async def send(self, text: bytes) -> None:
        """Send a text. Raises `Disconnected`. Cancelled, it may have been sent."""
        try:
            await self._connection.send_message(text.decode())
        except ConnectionClosed as closed:
            raise _disconnected(closed) from None
        except ProtocolError as error:  # it is being closed this very moment
            raise Disconnected(str(error)) from error

    async def receive(self) -> str | bytes:
        """The next message. Raises `Disconnected`, also if nobody is there any more.

        Cancelled, the connection is of no further use.
        """
        with trio.move_on_after(PING_S):
            return await self._next()
        with trio.move_on_after(PONG_S_MAX) as patience:
            async with tended_nursery() as nursery:
                nursery.start_soon(self._ping, patience)
                return await self._next()
        raise Disconnected(f"no answer to a ping in {PONG_S_MAX:g} s")

    async def _next(self) -> str | bytes:
        try:
            return await self._connection.get_message()
        except ConnectionClosed as closed:
            raise _disconnected(closed) from None

    async def _ping(self, patience: trio.CancelScope) -> None:
        """Ping as long as nothing comes; each answer renews the patience."""
        while True:
            patience.deadline = trio.current_time() + PONG_S_MAX
            try:
                await self._connection.ping()
            except (ConnectionClosed, ProtocolError):
                return
            patience.deadline = float("inf")
            await trio.sleep(PING_S)


@asynccontextmanager
async def open_websocket(url: str) -> AsyncGenerator[WebSocket]:
    """Connect to a `ws://` or `wss://` URL.

    Raises `Unreachable` if that can't be done now, else `Refused` or `NotUnderstood`. When the
    body is done the connection is closed, within `CLOSE_S_MAX`; when it raises, without a word.
    """
    try:
        async with await _open_stream(url) as stream, tended_nursery() as nursery:
            connection = await _shake_hands(nursery, stream, url)
            yield WebSocket(connection)
            with trio.move_on_after(CLOSE_S_MAX):
                await connection.aclose()
    except BaseExceptionGroup as group:
        if (error := _translated(group)) is None:
            raise
        raise error from group


async def _open_stream(url: str) -> trio.abc.Stream:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        with trio.fail_after(CONNECT_S_MAX):
            if parts.scheme == "wss":
                return await trio.open_ssl_over_tcp_stream(
                    host, parts.port or 443, https_compatible=True
                )
            return await trio.open_tcp_stream(host, parts.port or 80)
    except trio.TooSlowError:
        raise Unreachable(f"no connection in {CONNECT_S_MAX:g} s") from None
    except OSError as error:
        raise Unreachable(f"cannot connect: {error}") from error


async def _shake_hands(
    nursery: trio.Nursery, stream: trio.abc.Stream, url: str
) -> WebSocketConnection:
    parts = urlsplit(url)
    with trio.move_on_after(CONNECT_S_MAX) as patience:
        return await wrap_client_stream(
            nursery,
            EndTold(stream, patience),  # type: ignore[arg-type] # it takes any stream
            parts.netloc,
            parts.path,
            message_queue_size=QUEUE_MESSAGES,
            max_message_size=MESSAGE_BYTES_MAX,
            receive_buffer_size=RECEIVE_BYTES,
        )
    raise Unreachable("closed, or silent for too long, during the handshake")


def _translated(group: BaseExceptionGroup[BaseException]) -> Exception | None:
    """What a task of trio-websocket's raised, which comes in a group; None if it is not that."""
    if group.split((ConnectionRejected, *IMPROPER))[1] is not None:
        return None
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ConnectionRejected):
        return _rejected(Answer(error.status_code, error.body or b""))
    return Disconnected(f"no proper WebSocket: {error}")


def _rejected(answer: Answer) -> Unreachable | Refused | NotUnderstood:
    problem = answer.problem()
    if problem is not None:
        return Refused(problem)
    if answer.status in GATEWAY_STATUSES:
        return Unreachable(f"status {answer.status} of something that is no tradeclear")
    return NotUnderstood(f"status {answer.status} instead of a WebSocket")


def _disconnected(closed: ConnectionClosed) -> Disconnected:
    why = closed.reason
    if why is None:
        return Disconnected("the connection is gone")
    return Disconnected(why.reason or why.name, why.code)


def websocket_url(url: str, path: str) -> str:
    """The WebSocket URL of `path` at the exchange whose HTTP is at `url`."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + path, "", ""))
