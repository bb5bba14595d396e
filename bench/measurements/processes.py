"""What processes use, from /proc."""

import os
import time
from pathlib import Path
from types import TracebackType

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, of the children it has reaped, and of those that live."""
    own = _stat(pid)
    if own is None:
        return 0.0
    ticks = sum(map(int, own[11:15]))
    return ticks / TICKS_PER_S + sum(cpu_seconds(child) for child in children(pid))


def resident_bytes(pid: int) -> int:
    """Physical memory of a process, its children not counted."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * PAGE_BYTES


def children(pid: int) -> list[int]:
    """Processes that any of its threads has started."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, thread.read_text("ascii").split())
        except OSError:  # it has just ended
            continue
    return found


class Meter:
    """A `with` block's time, and who used the processors during it.

    `others_s` is what processes other than the server, this one and its children used.
    """

    def __init__(self, server_pid: int | None = None) -> None:
        self._pid = server_pid
        self.wall_s = 0.0
        self.server_s = 0.0
        self.others_s = 0.0
        self._before = (0.0, 0.0, 0.0, 0.0)

    def __enter__(self) -> "Meter":
        self._before = self._now()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        wall, machine, server, own = (
            after - before for after, before in zip(self._now(), self._before, strict=True)
        )
        self.wall_s, self.server_s = wall, server
        self.others_s = max(0.0, machine - server - own)

    def _now(self) -> tuple[float, float, float, float]:
        own = os.times()
        return (
            time.perf_counter(),
            machine_seconds(),
            0.0 if self._pid is None else cpu_seconds(self._pid),
            own.user + own.system + own.children_user + own.children_system,
        )


def machine_seconds() -> float:
    """User and system time of everything, on all cores; interrupts belong to nobody."""
    line = Path("/proc/stat").read_text("ascii").split("\n", 1)[0]
    user, nice, system = map(int, line.split()[1:4])
    return (user + nice + system) / TICKS_PER_S


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return None
