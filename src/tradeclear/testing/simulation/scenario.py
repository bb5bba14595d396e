"""What a seed chooses before anything begins: how large, how fast, how often it breaks."""

from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from tradeclear.config.settings import InstrumentSettings, Settings

INSTRUMENT: Final = "BTC-USD"
OTHER_INSTRUMENT: Final = "ETH-USD"

THINK_S: Final = 0.01
"""An unhurried client's pause between two commands: what everything else is quick or slow to."""

SNAPSHOT_INTERVAL_S_MIN: Final = THINK_S / 10
"""Shorter ones wake the snapshotter for nothing, again and again, while clients wait to ask again.
That was two fifths of what a short run cost, and made no snapshot more."""

End = Literal["kill", "power cut", "fault", "stop"]
"""How a life of the exchange ends: killed at a moment or in a call, with or without the power; an
error of the disk, on which it ends itself; or in order."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One seed's choices. Times in seconds of the simulation."""

    seed: int
    commands: int
    """By all clients together, retries not counted."""
    clients: int
    order_ids: int
    keyed_share: float
    think_s: float
    """Between two commands of a client, on the average: short means large group commits."""
    settings: Settings
    segment_bytes_max: int
    disk_s: float
    """One call of the disk, on the average."""
    stepwise_share: float
    """How many blocking calls are interrupted at every call of the disk, so that others run."""
    lives: int
    """How often the exchange is ended before it is left in peace."""


def scenario(seed: int, commands: int) -> Scenario:
    """The scenario of a seed, with so many commands."""
    random = Random(f"{seed}/scenario")
    clients = random.choice((1, 2, 3, 4, 5, 8))
    think_s = THINK_S * random.choice((1.0, 1.0, 0.05))
    disk_s = random.choice((0.00001, 0.0003, 0.003))
    return Scenario(
        seed=seed,
        commands=commands,
        clients=clients,
        order_ids=random.choice((10, 30, 100)),
        keyed_share=random.choice((0.5, 0.9, 1.0)),
        think_s=think_s,
        settings=_settings(random, (think_s + 2 * disk_s) * commands / clients),
        segment_bytes_max=random.choice((300, 600, 1_200, 4_000, 1_000_000)),
        disk_s=disk_s,
        stepwise_share=random.choice((0.0, 0.0, 0.0, 0.0, 0.2, 1.0)),
        lives=random.choice((0, 1, 2, 3, 4, 6)),
    )


def _settings(random: Random, duration_s: float) -> Settings:
    names = (INSTRUMENT, OTHER_INSTRUMENT)[: random.choice((1, 1, 2))]
    interval_s = duration_s * random.choice((0.1, 0.3, 0.5, 10.0))
    return Settings(
        snapshot_interval_s=max(interval_s, SNAPSHOT_INTERVAL_S_MIN),
        snapshots_kept=random.choice((1, 1, 2, 3)),
        log_retention_bytes_max=random.choice((0, 1, 1_000, 3_000)),
        input_channel_max=random.choice((1, 4, 100)),
        open_orders_max=random.choice((5, 30, 1_000)),
        closed_orders_max=random.choice((1, 10, 1_000)),
        trades_max=random.choice((1, 10, 1_000)),
        idempotency_keys_max=random.choice((8, 20, 1_000, 1_000)),
        idempotency_age_s=random.choice((1.0, 24 * 3600.0, 24 * 3600.0)),
        instruments=tuple(
            InstrumentSettings(name=name, tick_size="1", lot_size="1", price_max="200")
            for name in names
        ),
    )
