"""How long a soak is, how much it sends, and how little its server may remember."""

from collections.abc import Mapping
from math import ceil, inf
from typing import Final

from msgspec import Struct

from tradeclear.testing.server import NO_RATE_LIMITS
from tradeclear.testing.soak_ledger import Windows

STRETCH_S_MAX: Final = 60.0
SNAPSHOTS_A_STRETCH: Final = 4

WINDOWS: Final = Windows(closed_orders=5_000, trades=3_500, keys=4_000)
"""Trades end within a page of 1,000: to ask for those before the oldest is refused."""

SETTINGS: Final[Mapping[str, str]] = {
    **NO_RATE_LIMITS,
    "TRADECLEAR_ORDER_LOG": "false",
    "TRADECLEAR_SEGMENT_BYTES_MAX": str(512 * 1024),
    "TRADECLEAR_LOG_RETENTION_BYTES_MAX": str(4 * 1024 * 1024),
    "TRADECLEAR_SNAPSHOTS_KEPT": "2",
}


class Plan(Struct, frozen=True, kw_only=True):
    """`kill_every_s` is rounded to whole stretches; 0: it is never killed.

    A batch is of `batch_max` commands at most; with 100, a request is 3.5 commands on the average.
    """

    minutes: float
    rate_per_s: float
    kill_every_s: float
    seed: int
    windows: Windows = WINDOWS
    batch_max: int = 100

    @property
    def stretch_s(self) -> float:
        """So long it is loaded between two comparisons."""
        return min(STRETCH_S_MAX, self.kill_every_s or inf, 60 * self.minutes)

    @property
    def stretches(self) -> int:
        """So many there are."""
        return ceil(60 * self.minutes / self.stretch_s)

    def kills(self, number: int) -> bool:
        """Whether stretch `number`, from 1 on, ends with a kill."""
        if not self.kill_every_s:
            return False
        return number % max(1, round(self.kill_every_s / self.stretch_s)) == 0

    def settings(self) -> dict[str, str]:
        """The server's environment."""
        return {
            **SETTINGS,
            "TRADECLEAR_SNAPSHOT_INTERVAL_S": f"{self.stretch_s / SNAPSHOTS_A_STRETCH:g}",
            "TRADECLEAR_CLOSED_ORDERS_MAX": str(self.windows.closed_orders),
            "TRADECLEAR_TRADES_MAX": str(self.windows.trades),
            "TRADECLEAR_IDEMPOTENCY_KEYS_MAX": str(self.windows.keys),
        }
