"""Every setting, its unit in its name, its default and its bounds.

Each has an environment variable: `TRADECLEAR_` and the name in capitals, which wins over the file.
`PORT`, `REDIS_URL`, `REDIS_HOST` and `REDIS_PORT` are understood as people expect them.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from tradeclear.model.instrument import NAME_PATTERN
from tradeclear.model.units import OPEN_ORDERS_MAX

COUNT_MAX: Final = 2**53
Name = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1, le=COUNT_MAX)]
Amount = Annotated[int, Meta(ge=0, le=COUNT_MAX)]
Seconds = Annotated[float, Meta(gt=0, le=365 * 24 * 3600)]
OpenOrders = Annotated[int, Meta(ge=1, le=OPEN_ORDERS_MAX)]

HouseId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:/@+=-]{1,32}$")]
"""A client id that leaves room in an order id for a sequence and a number."""

ENVIRONMENT_PREFIX: Final = "TRADECLEAR_"


class InstrumentSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[instruments]]` table; decimals may be written as numbers or strings."""

    name: str
    tick_size: str = "0.01"
    lot_size: str = "0.00001"
    price_max: str = "10000000"
    quantity_min: str | None = None
    quantity_max: str = "10000"
    notional_min: str = "0"
    notional_max: str | None = None


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration."""

    # Where it listens, and what a request may be.
    host: Name = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    header_bytes_max: Annotated[int, Meta(ge=1024, le=1_048_576)] = 16_384
    body_bytes_max: Annotated[int, Meta(ge=1024, le=16_777_216)] = 1_048_576
    header_timeout_s: Seconds = 10
    body_timeout_s: Seconds = 10
    write_timeout_s: Seconds = 10
    keep_alive_timeout_s: Seconds = 75
    connections_max: Count = 10_000
    shutdown_timeout_s: Seconds = 5
    front_door: bool = True
    """Answer order entry on a fast path of its own; false sends everything through Hypercorn."""

    # Streams: connections of WS /stream and GET /events together, subscriptions of one connection,
    # and how many commands `from_sequence` may reach back.
    stream_connections_max: Count = 5_000
    stream_subscriptions_max: Count = 100
    stream_resume_records_max: Amount = 1_000_000

    # How much a client, and an address, may ask for. 0: no limit.
    rate_limit_client_per_s: Amount = 1_000
    rate_limit_client_burst: Count = 5_000
    rate_limit_address_per_s: Amount = 250_000
    rate_limit_address_burst: Count = 500_000

    rate_limit_market_per_s: Amount = 100
    rate_limit_market_burst: Count = 200
    """Questions of an address about the outside market: POST /market, GET /market/depth."""

    # The outside market that is followed, and how. The URLs may be those of a `venue-sim`.
    feed: Literal["off", "binance", "shadow"] = "off"
    """shadow: followed like binance, and brought into `shadow_instrument` as orders."""
    feed_symbol: Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,16}/[A-Z0-9]{1,16}$")] = "BTC/USDT"
    feed_rest_url: Annotated[str, Meta(pattern=r"^https?://")] = "https://api.binance.com"
    feed_stream_url: Annotated[str, Meta(pattern=r"^wss?://")] = "wss://stream.binance.com:9443"
    feed_poll_interval_s: Seconds = 2
    feed_stale_after_s: Seconds = 5
    """What was last heard longer ago is marked as stale, and `POST /market` refuses."""
    feed_silence_s: Seconds = 10
    """A stream connection that says nothing for so long is taken for dead."""
    feed_reconnect_after_s: Seconds = 84_600
    """Before Binance does it, after 24 hours."""

    # The shadow of that market in one of our books (docs/shadow-market.md).
    shadow_instrument: Annotated[str, Meta(pattern=f"^{NAME_PATTERN}$")] = "BTC-USD"
    shadow_levels: Annotated[int, Meta(ge=1, le=1_000)] = 50
    """So many of the best levels of each side."""
    shadow_refill_s: Seconds = 30
    """What users take of a level comes back over this time."""
    shadow_when_stale: Literal["withdraw", "keep"] = "withdraw"
    """What becomes of the house's orders once the market is older than `feed_stale_after_s`."""
    shadow_quotes_client: HouseId = "shadow-quotes"
    shadow_trades_client: HouseId = "shadow-trades"
    """The house's two clients. Nobody else may enter orders by these names."""

    # The log and its snapshots.
    wal_dir: Name = "wal"
    segment_bytes_max: Annotated[int, Meta(ge=65_536, le=1 << 40)] = 64 * 1024 * 1024
    snapshot_interval_s: Seconds = 60
    snapshots_kept: Count = 3
    log_retention_bytes_max: Amount = 0
    """0: nothing is ever pruned. Else segments go once this is exceeded and nothing needs them."""

    # The matcher.
    input_channel_max: Count = 10_000
    open_orders_max: OpenOrders = 2_000_000
    closed_orders_max: Count = 200_000
    trades_max: Count = 200_000
    idempotency_keys_max: Count = 1_000_000
    idempotency_age_s: Seconds = 24 * 3600

    # The mirror in Redis. Without a URL and a host it is a Redis of our own, if the extra
    # `embedded` is installed.
    redis: bool = True
    """False: no mirror at all."""
    redis_url: Annotated[str, Meta(pattern=r"^(rediss?|unix)://")] | None = None
    redis_host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:%-]+$")] | None = None
    redis_port: Annotated[int, Meta(ge=1, le=65535)] = 6379
    redis_timeout_s: Seconds = 2
    mirror_interval_s: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """At most one update of a book in this time; what changes meanwhile comes with the next."""
    mirror_levels_max: Annotated[int, Meta(ge=10, le=1_000)] = 1_000
    """So many levels of each side, the best ones; `GET /orderbook` shows no more either."""
    depth_connections_max: Count = 100
    """Connections of `WS /ws/depth`."""
    mirror_stale_after_s: Seconds = 5
    """A depth reader shows no book that was last confirmed longer ago."""

    # What is written about it.
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool | None = None
    order_log: bool = True

    instruments: tuple[InstrumentSettings, ...] = (InstrumentSettings(name="BTC-USD"),)
