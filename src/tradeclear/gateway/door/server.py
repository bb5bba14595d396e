"""The public port: hot connections on the reactor, all others on the HTTP server behind it."""

from functools import partial

import trio

from tradeclear.gateway.door.client import Client, HandOver, Upgrade
from tradeclear.gateway.door.orders import HotOrders
from tradeclear.gateway.door.reactor import Bounds, Reactor
from tradeclear.gateway.door.socket import OrderSocket
from tradeclear.gateway.order_messages import OrderMessages
from tradeclear.gateway.rate_limits import RateLimits
from tradeclear.gateway.server import BACKLOG, HttpServer, bound_address, turn_away
from tradeclear.pipeline.exchange import Exchange
from tradeclear.telemetry.metrics import Metrics


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
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `host` and `port` until `shutdown` is set and what was under way is answered.

    Started with the address, as `http://127.0.0.1:8000`; `port` 0 takes a free one. What is not
    answered `shutdown_timeout_s` after `shutdown` is given up. Cancelled, all is at once. Raises
    `OSError` if the address can't be had.
    """
    listeners = await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    async with behind.lifespan(), trio.open_nursery() as connections:
        orders = HotOrders(exchange, limits, metrics, connections)
        messages = OrderMessages(exchange, limits, metrics)
        reactor = Reactor(orders, bounds)
        exchange.on_settled(reactor.flush)
        try:
            async with trio.open_nursery() as accepting:
                accepting.start_soon(reactor.run)
                handle = partial(_handle, reactor, messages, behind, connections_max)
                accept = partial(trio.serve_listeners, handler_nursery=connections)
                await accepting.start(accept, handle, listeners)
                task_status.started(bound_address(listeners[0]))
                await shutdown.wait()
                async with trio.open_nursery() as draining:
                    draining.start_soon(reactor.drain, shutdown_timeout_s)
                    draining.start_soon(behind.drain, shutdown_timeout_s)
                accepting.cancel_scope.cancel()
        finally:
            behind.abort()
            connections.cancel_scope.cancel()


async def _handle(
    reactor: Reactor,
    messages: OrderMessages,
    behind: HttpServer,
    connections_max: int,
    stream: trio.SocketStream,
) -> None:
    """One connection from its beginning to its end; the caller closes the stream."""
    if len(reactor) >= connections_max:
        await turn_away(stream)
        return
    try:
        address = stream.socket.getpeername()[0]
    except OSError:
        return  # the client was gone before we could ask who it was
    then = await reactor.serve(Client(reactor, stream, address))
    if isinstance(then, HandOver):
        await behind.handle(stream, then.rest)
    elif isinstance(then, Upgrade):
        socket = OrderSocket(reactor, stream, address, messages, then.key)
        if then.rest:
            socket.take(then.rest)
        await reactor.serve(socket)
