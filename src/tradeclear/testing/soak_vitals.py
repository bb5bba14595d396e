"""What a process holds of its machine, over time: memory, descriptors, threads; and its log."""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

import trio
from msgspec import Struct

SAMPLE_S: Final = 0.5
SAMPLES_MAX: Final = 1_000
"""Of one stretch."""

KIB: Final = 1_024
MIB: Final = 1_048_576
SETTLED_SHARE: Final = 0.5
"""The first half of a stretch is left out: a process that has just started is still growing."""


class Vital(Struct, frozen=True):
    """One look. `acknowledged` commands since the soak began."""

    at_s: float
    resident_bytes: int
    descriptors: int
    threads: int
    log_bytes: int
    acknowledged: int


class Vitals:
    """Looks at a process twice a second, while `run` runs."""

    def __init__(self, pid: int, wal_dir: Path, acknowledged: Callable[[], int]) -> None:
        self._pid: Final = pid
        self._wal_dir: Final = wal_dir
        self._acknowledged: Final = acknowledged
        self._began_s: Final = trio.current_time()
        self.samples: Final[list[Vital]] = []

    async def run(self) -> None:
        """Go on until cancelled, or until the process is gone."""
        while len(self.samples) < SAMPLES_MAX and (vital := self._look()) is not None:
            self.samples.append(vital)
            await trio.sleep(SAMPLE_S)

    def _look(self) -> Vital | None:
        process = Path(f"/proc/{self._pid}")
        try:
            lines = (process / "status").read_text().splitlines()
            status = dict(line.split(":", 1) for line in lines)
            return Vital(
                trio.current_time() - self._began_s,
                int(status["VmRSS"].split()[0]) * KIB,
                len(list((process / "fd").iterdir())),
                int(status["Threads"]),
                log_bytes(self._wal_dir),
                self._acknowledged(),
            )
        except (OSError, KeyError):
            return None

    def settled(self, what: Callable[[Vital], int]) -> float:
        """The median of the second half."""
        values = [what(vital) for vital in self.samples]
        return median(values[int(SETTLED_SHARE * len(values)) :]) if values else 0.0


def log_bytes(wal_dir: Path) -> int:
    """The size of everything in a log's directory. Files may go meanwhile."""
    total = 0
    for path in wal_dir.iterdir():
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total
