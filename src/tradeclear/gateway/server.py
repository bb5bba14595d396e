"""The HTTP server: the app on a socket, by Hypercorn's connections on Trio, within limits."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, cast

import trio
from hypercorn.config import Config
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState, LifespanState
from hypercorn.utils import repr_socket_addr, wrap_app

from tradeclear.gateway.connection import Connection, Timeouts
from tradeclear.gateway.problems import OVERLOADED, Reply, problem

BACKLOG: Final = 1024
REQUESTS_MAX: Final = 2**62
"""Requests on one connection: as many as it likes."""

WEBSOCKET_MESSAGE_BYTES_MAX: Final = 65_536
WEBSOCKET_PING_S: Final = 20.0
REFUSAL_S: Final = 1.0


async def serve(
    app: object,
    *,
    host: str,
    port: int,
    shutdown: trio.Event,
    shutdown_timeout_s: float = 5.0,
    header_bytes_max: int = 16_384,
    header_timeout_s: float = 10.0,
    write_timeout_s: float = 10.0,
    keep_alive_timeout_s: float = 75.0,
    connections_max: int = 10_000,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the ASGI `app` until `shutdown` is set and what was under way is answered.

    Started with the address, as `http://127.0.0.1:8000`; `port` 0 takes a free one. Requests that
    are not answered `shutdown_timeout_s` after `shutdown` are given up. Cancelled, all are at once.
    Raises `OSError` if the address can't be had.
    """
    server = HttpServer(
        cast(Any, app),
        timeouts=Timeouts(
            keep_alive_s=keep_alive_timeout_s, head_s=header_timeout_s, write_s=write_timeout_s
        ),
        header_bytes_max=header_bytes_max,
        connections_max=connections_max,
    )
    listeners = await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    try:
        async with server.lifespan(), trio.open_nursery() as connections:
            try:
                async with trio.open_nursery() as accepting:
                    accept = partial(trio.serve_listeners, handler_nursery=connections)
                    await accepting.start(accept, server.handle, listeners)
                    task_status.started(bound_address(listeners[0]))
                    await shutdown.wait()
                    accepting.cancel_scope.cancel()
                await server.drain(shutdown_timeout_s)
            finally:
                server.abort()
                connections.cancel_scope.cancel()
    finally:
        for listener in listeners:
            listener.socket.close()


class HttpServer:
    """Serves streams, however they were accepted, and knows which it is serving."""

    def __init__(
        self, app: Any, *, timeouts: Timeouts, header_bytes_max: int, connections_max: int
    ) -> None:
        self._app: Final[AppWrapper] = wrap_app(app, 0, "asgi")
        self._timeouts: Final = timeouts
        self._connections_max: Final = connections_max
        self._config: Final = _config(header_bytes_max)
        self._context: Final = WorkerContext(None)
        self._state: Final = LifespanState({})
        self._connections: Final[set[Connection]] = set()
        self._gone = trio.Event()

    async def handle(self, stream: trio.SocketStream, first_bytes: bytes = b"") -> None:
        """Serve one connection, of which `first_bytes` were read before."""
        if len(self._connections) >= self._connections_max:
            await turn_away(stream)
            return
        connection = Connection(
            self._app,
            self._config,
            self._context,
            ConnectionState(self._state),
            stream,
            self._timeouts,
            first_bytes,
        )
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self._gone.set()

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Start the app, and stop it in the end."""
        async with trio.open_nursery() as nursery:
            lifespan = Lifespan(self._app, self._config, self._state)
            await nursery.start(lifespan.handle_lifespan)
            await lifespan.wait_for_startup()
            yield
            await lifespan.wait_for_shutdown()
            nursery.cancel_scope.cancel()

    async def drain(self, timeout_s: float) -> None:
        """End idle connections now and the others when they have answered, for `timeout_s`."""
        await self._context.terminated.set()
        for connection in tuple(self._connections):
            connection.end_if_idle()
        with trio.move_on_after(timeout_s):
            while self._connections:
                self._gone = trio.Event()
                await self._gone.wait()

    def abort(self) -> None:
        """End every connection now."""
        for connection in tuple(self._connections):
            connection.abort()


def _config(header_bytes_max: int) -> Config:
    config = Config()
    config.h11_max_incomplete_size = header_bytes_max
    config.keep_alive_max_requests = REQUESTS_MAX
    config.include_server_header = False
    config.websocket_max_message_size = WEBSOCKET_MESSAGE_BYTES_MAX
    config.websocket_ping_interval = WEBSOCKET_PING_S
    config.errorlog = logging.getLogger("hypercorn.error")
    return config


async def turn_away(stream: trio.SocketStream) -> None:
    """Say that there are too many connections, and close."""
    reply = problem(OVERLOADED, "too many connections", retry_after_s=REFUSAL_S)
    with trio.move_on_after(REFUSAL_S):
        async with stream:
            with suppress(trio.BrokenResourceError):
                await stream.send_all(_plain_response(reply))


def _plain_response(reply: Reply) -> bytes:
    headers = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
    head = (
        f"HTTP/1.1 {reply.status} \r\ncontent-type: {reply.content_type}\r\n"
        f"content-length: {len(reply.body)}\r\nconnection: close\r\n{headers}\r\n"
    )
    return head.encode() + reply.body


def bound_address(listener: trio.SocketListener) -> str:
    """The address it listens on, as a URL."""
    socket = listener.socket
    return f"http://{repr_socket_addr(socket.family, socket.getsockname())}"
