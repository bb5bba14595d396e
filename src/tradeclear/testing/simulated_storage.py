"""A storage in memory that forgets what was not synced, and fails when it is told to.

Every file has what is durable, what the page cache shows, and the writes in between. A power cut
keeps any part of those: any subset of a write's sectors, or its beginning up to any byte; zeros
where a length arrived before its data; of creations, renames and removals any subset. A process
that is killed leaves the page cache behind, none of it durable. A failed fdatasync drops the data
that it should have made durable, shows it still, and the next one reports success, as kernels do
("fsyncgate": Rebello et al., Can Applications Recover from fsync Failures?, USENIX ATC 2020).
Lengths and names are kept in a journal: a sync of those that failed leaves them to the next.
"""

from collections.abc import Callable
from dataclasses import dataclass
from errno import EIO, ENOSPC
from functools import partial
from random import Random
from typing import Final, NoReturn

from tradeclear.testing.simulated_inode import SECTOR_BYTES, Inode
from tradeclear.wal.errors import DirectoryLocked

KEPT_SHARES: Final = (0.0, 0.3, 0.5, 0.8, 1.0)
"""How much of what was not synced a power cut leaves, on the average."""

PID: Final = 4711

READS: Final = frozenset({"names", "open", "pread", "size"})
"""Calls that change nothing."""

Change = Callable[["Names"], None]
Names = dict[str, Inode]


class Killed(BaseException):
    """The process ends here: whoever catches it is not there any more."""


@dataclass(frozen=True)
class Fault:
    """What befalls a call: an error of the system, or (None) the end of the process.

    Of a write, `share` is done all the same; of any other call nothing.
    """

    error: int | None
    share: float = 0.0


DISK_FULL: Final = Fault(ENOSPC, 0.5)
DISK_BROKEN: Final = Fault(EIO, 0.0)
KILL: Final = Fault(None, 0.5)


class SimulatedFile:
    """See `File`. It ends with the process that opened it."""

    __slots__ = ("_inode", "_life", "_name", "_storage")

    def __init__(self, storage: "SimulatedStorage", name: str, inode: Inode) -> None:
        self._storage = storage
        self._life = storage.life
        self._name = name
        self._inode = inode

    def size(self) -> int:
        """See `File`."""
        self._storage.look("size", self._name, self._life)
        return len(self._inode.cached)

    def pread(self, offset: int, length: int) -> bytes:
        """See `File`."""
        assert offset >= 0
        self._storage.look("pread", self._name, self._life)
        return bytes(self._inode.cached[offset : offset + length])

    def pwrite(self, offset: int, data: bytes) -> None:
        """See `File`."""
        data = bytes(data)
        fault = self._storage.step("pwrite", self._name, self._life)
        if fault is None:
            self._inode.change(offset, data)
            return
        self._inode.change(offset, data[: int(len(data) * fault.share)])
        self._storage.suffer(fault, "pwrite")

    def truncate(self, length: int) -> None:
        """See `File`."""
        self._storage.act("truncate", self._name, self._life)
        self._inode.change(length, None)

    def fdatasync(self) -> None:
        """See `File`."""
        fault = self._storage.step("fdatasync", self._name, self._life)
        if fault is None:
            self._inode.sync()
            return
        if fault.error is not None:
            self._inode.forget()
        self._storage.suffer(fault, "fdatasync")

    def close(self) -> None:
        """See `File`."""


class SimulatedStorage:
    """See `Storage`. A machine's directory: it outlives the processes that use it.

    `calls` counts those that can fail: everything that changes something, and `open`. `faults`
    says what befalls which of them, the first being number 1. `watch` is told of each call before
    it is made, reads included. Once the process has been killed (`ended`), its calls do nothing.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.faults: dict[int, Fault] = {}
        self.watch: Callable[[str, str], None] = _nobody
        self.ended = False
        self.life = 0
        self._durable: Names = {}
        self._cached: Names = {}
        self._pending: list[Change] = []
        self._locked = False

    directory = "simulated"

    # Storage

    def names(self) -> list[str]:
        """See `Storage`."""
        self.look("names", "", self.life)
        return list(self._cached)

    def create(self, name: str) -> SimulatedFile:
        """See `Storage`."""
        self.act("create", name, self.life)
        if name in self._cached:
            raise FileExistsError(name)
        inode = Inode()
        self._change(partial(_link, name, inode))
        return SimulatedFile(self, name, inode)

    def open(self, name: str, *, write: bool = False) -> SimulatedFile:
        """See `Storage`."""
        self.act("open", name, self.life)
        if name not in self._cached:
            raise FileNotFoundError(name)
        return SimulatedFile(self, name, self._cached[name])

    def rename(self, old: str, new: str) -> None:
        """See `Storage`."""
        self.act("rename", new, self.life)
        if old not in self._cached:
            raise FileNotFoundError(old)
        self._change(partial(_move, old, new, self._cached[old]))

    def unlink(self, name: str) -> None:
        """See `Storage`."""
        self.act("unlink", name, self.life)
        if name not in self._cached:
            raise FileNotFoundError(name)
        self._change(partial(_unlink, name))

    def fsync_directory(self) -> None:
        """See `Storage`."""
        self.act("fsync_directory", "", self.life)
        for change in self._pending:
            change(self._durable)
        self._pending.clear()

    def lock(self) -> None:
        """See `Storage`."""
        if self._locked:
            raise DirectoryLocked(self.directory, PID)
        self._locked = True

    def unlock(self) -> None:
        """See `Storage`."""
        self._locked = False

    def holder(self) -> int | None:
        """See `Storage`."""
        return PID if self._locked else None

    # The machine

    def process_crash(self) -> None:
        """End the process: the page cache stays, none of it durable. The next one may begin."""
        self.life += 1
        self.ended = False
        self._locked = False
        self.calls = 0
        self.faults = {}

    def power_cut(self, random: Random) -> None:
        """End the process and the power: of what was not synced, any part is left."""
        kept, sector_bytes = random.choice(KEPT_SHARES), random.choice(SECTOR_BYTES)
        for change in self._pending:
            if random.random() < kept:
                change(self._durable)
        self._pending.clear()
        self._cached = dict(self._durable)
        for inode in self._cached.values():
            inode.cut_power(random, kept, sector_bytes)
        self.process_crash()

    def durable(self, name: str) -> bytes | None:
        """What the worst power cut would leave of a file; None if not even its name."""
        inode = self._durable.get(name)
        return None if inode is None else bytes(inode.durable)

    def durable_names(self) -> list[str]:
        """The names that every power cut leaves."""
        return list(self._durable)

    # Every call goes through one of these.

    def look(self, call: str, name: str, life: int) -> None:
        """A call that changes nothing, by a process of `life`."""
        self._end_with(life)
        self.watch(call, name)
        self._end_with(life)

    def step(self, call: str, name: str, life: int) -> Fault | None:
        """Count a call; returns what befalls it."""
        self._end_with(life)
        self.watch(call, name)
        self._end_with(life)
        self.calls += 1
        return self.faults.get(self.calls)

    def act(self, call: str, name: str, life: int) -> None:
        """Count a call that is done whole or not at all."""
        fault = self.step(call, name, life)
        if fault is not None:
            self.suffer(fault, call)

    def suffer(self, fault: Fault, call: str) -> NoReturn:
        """Raise what befalls a call."""
        if fault.error is not None:
            raise OSError(fault.error, f"simulated: {call}")
        self.ended = True
        raise Killed

    def _end_with(self, life: int) -> None:
        if self.ended or life != self.life:
            raise Killed

    def _change(self, change: Change) -> None:
        change(self._cached)
        self._pending.append(change)


def _nobody(_call: str, _name: str) -> None:
    pass


def _link(name: str, inode: Inode, names: Names) -> None:
    names[name] = inode


def _move(old: str, new: str, inode: Inode, names: Names) -> None:
    names.pop(old, None)
    names[new] = inode


def _unlink(name: str, names: Names) -> None:
    names.pop(name, None)
