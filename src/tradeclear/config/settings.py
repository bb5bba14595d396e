"""Every setting, its unit in its name, its default and its bounds.

Each has an environment variable: `TRADECLEAR_` and the name in capitals, which wins over the file.
`PORT` is understood as people expect it.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from tradeclear.model.units import OPEN_ORDERS_MAX

COUNT_MAX: Final = 2**53
Name = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1, le=COUNT_MAX)]
Amount = Annotated[int, Meta(ge=0, le=COUNT_MAX)]
Seconds = Annotated[float, Meta(gt=0, le=365 * 24 * 3600)]
OpenOrders = Annotated[int, Meta(ge=1, le=OPEN_ORDERS_MAX)]

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

    # How much a client, and an address, may ask for. 0: no limit.
    rate_limit_client_per_s: Amount = 1_000
    rate_limit_client_burst: Count = 5_000
    rate_limit_address_per_s: Amount = 250_000
    rate_limit_address_burst: Count = 500_000

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

    # What is written about it.
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool | None = None
    order_log: bool = True

    instruments: tuple[InstrumentSettings, ...] = (InstrumentSettings(name="BTC-USD"),)
