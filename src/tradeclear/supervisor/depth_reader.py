"""The depth reader: a process that shows the books which Redis holds, and needs nothing else."""

import signal
from collections.abc import Callable
from functools import partial

import trio

from tradeclear.config.settings import Settings
from tradeclear.gateway.copies.app import create_copies_app
from tradeclear.gateway.server import serve
from tradeclear.mirror.copies import RedisCopies
from tradeclear.supervisor.doors import rate_limits
from tradeclear.supervisor.restarting import restarting
from tradeclear.supervisor.supervisor import AddressUnavailable
from tradeclear.telemetry import events
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics


async def read_depth(
    settings: Settings, url: str, *, host: str, port: int, ready: Callable[[str], None]
) -> None:
    """Serve until SIGINT or SIGTERM. `ready` is told the address. Raises `AddressUnavailable`."""
    metrics = Metrics()
    copies = RedisCopies(
        url, timeout_s=settings.redis_timeout_s, stale_after_s=settings.mirror_stale_after_s
    )
    app = create_copies_app(
        copies, metrics, rate_limits(settings), sockets_max=settings.depth_connections_max
    )
    stop = trio.Event()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(restarting, "copies", copies.run, metrics)
            async with trio.open_nursery() as doors:
                serving = partial(
                    serve,
                    app,
                    host=host,
                    port=port,
                    shutdown=stop,
                    shutdown_timeout_s=settings.shutdown_timeout_s,
                    connections_max=settings.connections_max,
                )
                try:
                    address: str = await doors.start(serving)
                except OSError as error:
                    raise AddressUnavailable(f"can't listen: {error.strerror or error}") from error
                ready(address)
                log.info(events.READY, address=address)
                await anext(signals)
                log.info(events.STOPPING)
                stop.set()
            nursery.cancel_scope.cancel()
