"""The doors: the front door on the public port with Hypercorn behind it, or Hypercorn alone."""

from time import monotonic
from typing import Any, cast

import trio

from tradeclear.config.settings import Settings
from tradeclear.gateway.app import create_app
from tradeclear.gateway.connection import Timeouts
from tradeclear.gateway.copies.socket import PATH as DEPTH
from tradeclear.gateway.copies.socket import copy_socket
from tradeclear.gateway.door.reactor import Bounds
from tradeclear.gateway.door.server import serve_front_door
from tradeclear.gateway.market_orders import MarketOrders
from tradeclear.gateway.rate_limits import RateLimits, TokenBuckets
from tradeclear.gateway.server import HttpServer
from tradeclear.gateway.server import serve as serve_http
from tradeclear.gateway.streams.streams import Streams
from tradeclear.pipeline.exchange import Exchange
from tradeclear.supervisor.following import Following
from tradeclear.telemetry.metrics import Metrics


async def serve(
    exchange: Exchange,
    streams: Streams,
    following: Following,
    metrics: Metrics,
    settings: Settings,
    shutdown: trio.Event,
    *,
    task_status: trio.TaskStatus[str],
) -> None:
    """Serve HTTP until `shutdown` is set and what was under way is answered.

    Started with the address. Raises `OSError` if that can't be had.
    """
    limits = rate_limits(settings)
    app = create_app(
        exchange,
        metrics,
        limits=limits,
        body_bytes_max=settings.body_bytes_max,
        body_timeout_s=settings.body_timeout_s,
        streams=streams,
        routes=MarketOrders(following.market, market_buckets(settings)).routes(),
        sockets={DEPTH: copy_socket(following.copies, settings.depth_connections_max)},
    )
    if not settings.front_door:
        await serve_http(
            app,
            host=settings.host,
            port=settings.port,
            shutdown=shutdown,
            shutdown_timeout_s=settings.shutdown_timeout_s,
            header_bytes_max=settings.header_bytes_max,
            header_timeout_s=settings.header_timeout_s,
            write_timeout_s=settings.write_timeout_s,
            keep_alive_timeout_s=settings.keep_alive_timeout_s,
            connections_max=settings.connections_max,
            task_status=task_status,
        )
        return
    await serve_front_door(
        HttpServer(
            cast(Any, app),
            timeouts=Timeouts(
                keep_alive_s=settings.keep_alive_timeout_s,
                head_s=settings.header_timeout_s,
                write_s=settings.write_timeout_s,
            ),
            header_bytes_max=settings.header_bytes_max,
            connections_max=settings.connections_max,
        ),
        exchange,
        limits,
        metrics,
        host=settings.host,
        port=settings.port,
        bounds=Bounds(
            header_bytes_max=settings.header_bytes_max,
            body_bytes_max=settings.body_bytes_max,
            header_timeout_s=settings.header_timeout_s,
            body_timeout_s=settings.body_timeout_s,
            write_timeout_s=settings.write_timeout_s,
            keep_alive_timeout_s=settings.keep_alive_timeout_s,
        ),
        connections_max=settings.connections_max,
        shutdown=shutdown,
        shutdown_timeout_s=settings.shutdown_timeout_s,
        streams=streams,
        task_status=task_status,
    )


def rate_limits(settings: Settings) -> RateLimits:
    """The token buckets that every door charges."""
    return RateLimits(
        client=TokenBuckets(
            rate_per_s=settings.rate_limit_client_per_s,
            burst=settings.rate_limit_client_burst,
            clock=monotonic,
        ),
        address=TokenBuckets(
            rate_per_s=settings.rate_limit_address_per_s,
            burst=settings.rate_limit_address_burst,
            clock=monotonic,
        ),
        reserved=frozenset((settings.shadow_quotes_client, settings.shadow_trades_client)),
    )


def market_buckets(settings: Settings) -> TokenBuckets:
    """What an address may ask of the outside market."""
    return TokenBuckets(
        rate_per_s=settings.rate_limit_market_per_s,
        burst=settings.rate_limit_market_burst,
        clock=monotonic,
    )
