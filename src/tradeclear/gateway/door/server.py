"""The public port: hot connections on the reactor, all others on the HTTP server behind it."""

from contextlib import ExitStack
from functools import partial
from typing import Final

import trio

from tradeclear.gateway.door.client import Client
from tradeclear.gateway.door.endings import Goodbye, HandOver, Next, Upgrade
from tradeclear.gateway.door.orders import HotOrders
from tradeclear.gateway.door.reactor import Bounds, Reactor
from tradeclear.gateway.door.socket import OrderSocket
from tradeclear.gateway.door.stream_socket import StreamSocket
from tradeclear.gateway.order_messages import OrderMessages
from tradeclear.gateway.rate_limits import RateLimits
from tradeclear.gateway.server import BACKLOG, HttpServer, bound_address, turn_away
from tradeclear.gateway.streams.streams import Streams
from tradeclear.pipeline.exchange import Exchange
from tradeclear.telemetry.events import REQUEST_FAILED
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics

LINGER_S: Final = 2.0
LINGER_BYTES_MAX: Final = 4 * 1_048_576
RECEIVE_BYTES: Final = 65_536


async def serve_front_door(
    behind: HttpServer,
    exchange: Exchange,
    limits: RateLimits,
    metrics: Metrics,
    *,
    host: str,
    port: int,
    bounds: Bounds,
    connections_max: int,
    shutdown: trio.Event,
    shutdown_timeout_s: float,
    streams: Streams | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `host` and `port` until `shutdown` is set and what was under way is answered.

    Started with the address, as `http://127.0.0.1:8000`; `port` 0 takes a free one. What is not
    answered `shutdown_timeout_s` after `shutdown` is given up. Cancelled, all is at once; orders
    under way are then told that their outcome is unknown. Raises `OSError` if the address can't be
    had.
    """
    with ExitStack() as closing:
        listeners = await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
        for listener in listeners:
            closing.callback(listener.socket.close)
        async with behind.lifespan(), trio.open_nursery() as connections:
            reactor = Reactor(HotOrders(exchange, limits, metrics, connections), bounds)
            closing.callback(reactor.close)
            exchange.on_settled(reactor.flush)
            messages = OrderMessages(exchange, limits, metrics)
            door = _Door(reactor, messages, behind, connections_max, streams, limits)
            try:
                async with trio.open_nursery() as running:
                    running.start_soon(reactor.run)
                    async with trio.open_nursery() as accepting:
                        accept = partial(trio.serve_listeners, handler_nursery=connections)
                        await accepting.start(accept, door.handle, listeners)
                        task_status.started(bound_address(listeners[0]))
                        await shutdown.wait()
                        accepting.cancel_scope.cancel()
                    await door.drain(shutdown_timeout_s)
                    running.cancel_scope.cancel()
            finally:
                behind.abort()
                connections.cancel_scope.cancel()


class _Door:
    """Takes every connection, and knows how many there are, wherever each is served."""

    def __init__(
        self,
        reactor: Reactor,
        messages: OrderMessages,
        behind: HttpServer,
        connections_max: int,
        streams: Streams | None,
        limits: RateLimits,
    ) -> None:
        self._reactor: Final = reactor
        self._messages: Final = messages
        self._behind: Final = behind
        self._connections_max: Final = connections_max
        self._streams: Final = streams
        self._limits: Final = limits
        self._connections = 0
        self._none_left = trio.Event()

    async def handle(self, stream: trio.SocketStream) -> None:
        """One connection from its beginning to its end; the caller closes the stream.

        Never raises but `trio.Cancelled`: no connection may end the others.
        """
        if self._connections >= self._connections_max:
            await turn_away(stream)
            return
        self._connections += 1
        try:
            await self._serve(stream)
        except Exception as error:
            log.exception(REQUEST_FAILED, problem=repr(error))
        finally:
            self._connections -= 1
            if not self._connections:
                self._none_left.set()

    async def _serve(self, stream: trio.SocketStream) -> None:
        try:
            address = stream.socket.getpeername()[0]
        except OSError:
            return  # the client was gone before we could ask who it was
        then: Next | None = await self._reactor.serve(Client(self._reactor, stream, address))
        if isinstance(then, Upgrade) and then.route == "stream" and self._streams is not None:
            then = await self._stream(stream, address, then.key, self._streams)
        elif isinstance(then, Upgrade):
            socket = OrderSocket(self._reactor, stream, address, self._messages, then.key)
            then = await self._reactor.serve(socket)
        if isinstance(then, HandOver):
            await self._behind.handle(stream, then.rest)
        elif isinstance(then, Goodbye):
            await _linger(stream)

    async def _stream(
        self, stream: trio.SocketStream, address: str, key: bytes, streams: Streams
    ) -> Next | None:
        """Serve a subscriber, and beside it the task that brings its subscriptions up to date."""
        socket = StreamSocket(self._reactor, stream, address, streams, self._limits, key)
        async with trio.open_nursery() as session:
            session.start_soon(socket.run)
            then = await self._reactor.serve(socket)
            session.cancel_scope.cancel()
        return then

    async def drain(self, timeout_s: float) -> None:
        """End idle connections now and the others when they are answered, for `timeout_s`."""
        self._reactor.drain()
        with trio.move_on_after(timeout_s):
            await self._behind.drain(timeout_s)
            while self._connections:
                self._none_left = trio.Event()
                await self._none_left.wait()


async def _linger(stream: trio.SocketStream) -> None:
    """Say that we are done, and read on for a moment.

    A kernel that has unread bytes when the connection is closed takes back what we sent last.
    """
    left = LINGER_BYTES_MAX
    with trio.move_on_after(LINGER_S):
        try:
            await stream.send_eof()
            while left > 0 and (data := await stream.receive_some(RECEIVE_BYTES)):
                left -= len(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
