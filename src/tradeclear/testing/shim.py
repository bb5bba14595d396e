"""Spoil one chosen call of a process on one directory: see shim.c, which does it."""

import errno
import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct

from tradeclear.testing.shim_library import library

SOURCE: Final = Path(__file__).with_name("shim.c")

Kind: TypeAlias = Literal["write", "sync", "create", "rename", "unlink", "truncate"]
Action: TypeAlias = Literal["before", "middle", "after", "short"]
"""SIGKILL before the call, in its middle (half of the bytes), after it; or half of the bytes."""

ALWAYS: Final = 1 << 40
"""As `Plan.times`: every call from the chosen one on."""


class Plan(Struct, frozen=True, kw_only=True):
    """What to spoil: call number `at` (0: none) of `kind` (None: of any) and what comes after it.

    `action` is what becomes of it; an int is the error number that it fails with.
    """

    at: int = 0
    action: Action | int = "before"
    times: int = 1
    kind: Kind | None = None
    group: bool = False
    """Kill the process group of the caller, not only the caller."""


class Call(NamedTuple):
    """A call that was counted. `bytes` is what a write was given, or a truncated file's length."""

    number: int
    kind: str
    bytes: int
    name: str


class Shim:
    """The shim over one directory, with the counter that all processes share.

    `folder` holds the counter and the trace; it must not be below `directory`.
    """

    _state: Final = struct.Struct("QQQ")

    def __init__(self, directory: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._library: Final = library(SOURCE)
        self._directory: Final = directory
        self._counter: Final = folder / "calls.count"
        self._trace: Final = folder / "calls.trace"
        self.reset()

    def reset(self) -> None:
        """Begin to count from 0, for processes that start from now on."""
        for file in (self._counter, self._trace):
            file.unlink(missing_ok=True)
        self._counter.write_bytes(bytes(self._state.size))
        self._trace.touch()
        with self._counter.open("rb") as counter:
            self._map = mmap.mmap(counter.fileno(), 0, prot=mmap.PROT_READ)

    def environment(self, plan: Plan) -> Mapping[str, str]:
        """What a process needs in its environment to be counted, and spoiled as planned."""
        return {"LD_PRELOAD": str(self._library), **self.plan_environment(plan)}

    def plan_environment(self, plan: Plan) -> Mapping[str, str]:
        """The same for a process that was started with the shim and has no plan yet."""
        return {
            "FAULT_DIR": str(self._directory),
            "FAULT_STATE": str(self._counter),
            "FAULT_TRACE": str(self._trace),
            "FAULT_KIND": plan.kind or "",
            "FAULT_AT": str(plan.at),
            "FAULT_TIMES": str(plan.times),
            "FAULT_ACTION": str(plan.action),
            "FAULT_GROUP": "1" if plan.group else "0",
        }

    @property
    def calls(self) -> int:
        """How many calls were counted."""
        return int(self._state.unpack(self._map[:])[0])

    @property
    def fired(self) -> int:
        """How many calls were spoiled."""
        return int(self._state.unpack(self._map[:])[1])

    @property
    def fired_s(self) -> float:
        """When the first one was, by the monotonic clock; 0 if none was."""
        return int(self._state.unpack(self._map[:])[2]) / 1e9

    def trace(self) -> list[Call]:
        """Every call that was counted, by number."""
        rows = (line.split(" ", 3) for line in self._trace.read_text().splitlines())
        return sorted(Call(int(row[0]), row[1], int(row[2]), row[3]) for row in rows)


def action_name(action: Action | int) -> str:
    """`before`, or `ENOSPC` for an error number."""
    return errno.errorcode[action] if isinstance(action, int) else action
