"""A storage in memory that forgets what was not synced, for tests of this package.

Every file has what is durable, what the page cache shows, and the changes in between. A power cut
keeps any part of those changes: sectors lost, torn, out of order; names too. A failed fdatasync
drops them, shows them still and reports success the next time, as kernels do.
"""

from collections.abc import Callable
from errno import EIO, ENOSPC
from functools import partial
from random import Random

from tradeclear.wal.errors import DirectoryLocked

SECTOR_BYTES = 64
"""Small, so that the small frames of tests are torn too."""
SECTORS_MAX = 16
"""In one write: larger writes have larger sectors."""


class Crash(BaseException):
    """The process ends here."""


class Inode:
    """A file's content."""

    def __init__(self) -> None:
        self.durable = b""
        self.cached = b""
        self.changes: list[Callable[[bytes], bytes]] = []

    def change(self, change: Callable[[bytes], bytes]) -> None:
        self.cached = change(self.cached)
        self.changes.append(change)

    def sync(self) -> None:
        """Make durable what has changed since the last sync, and only that."""
        for change in self.changes:
            self.durable = change(self.durable)
        self.changes.clear()

    def cut_power(self, random: Random) -> None:
        for change in self.changes:
            if random.random() < 0.5:
                self.durable = change(self.durable)
        self.changes.clear()
        self.cached = self.durable


class MemoryFile:
    """See `File`."""

    def __init__(self, storage: "MemoryStorage", inode: Inode) -> None:
        self._storage = storage
        self._inode = inode

    def size(self) -> int:
        return len(self._inode.cached)

    def pread(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        return self._inode.cached[offset : offset + length]

    def pwrite(self, offset: int, data: bytes) -> None:
        try:
            self._storage.step("pwrite")
        except (OSError, Crash):
            if not self._storage.crashed:
                self._write(offset, data[: int(len(data) * self._storage.written_share)])
            raise
        self._write(offset, data)

    def truncate(self, length: int) -> None:
        self._storage.step("truncate")
        self._inode.change(partial(_truncate, length))

    def fdatasync(self) -> None:
        try:
            self._storage.step("fdatasync")
        except OSError:
            self._inode.changes.clear()
            raise
        self._inode.sync()

    def close(self) -> None:
        pass

    def _write(self, offset: int, data: bytes) -> None:
        sector_bytes = max(SECTOR_BYTES, len(data) // SECTORS_MAX)
        for start in range(0, len(data), sector_bytes):
            self._inode.change(partial(_write, offset + start, data[start : start + sector_bytes]))


class MemoryStorage:
    """See `Storage`. `steps` are the calls that change something; the first is number 1.

    At step `crash_at` the process ends, at step `fail_at` the call fails: before it has done
    anything, but a write after `written_share` of it. A sync that fails loses what it should have
    made durable.
    """

    directory = "memory"

    def __init__(self) -> None:
        self.names_durable: dict[str, Inode] = {}
        self.names_cached: dict[str, Inode] = {}
        self.changes: list[Callable[[dict[str, Inode]], None]] = []
        self.steps: list[str] = []
        self.crash_at: int | None = None
        self.fail_at: int | None = None
        self.written_share = 0.5
        self.locked = False

    def names(self) -> list[str]:
        return list(self.names_cached)

    def create(self, name: str) -> MemoryFile:
        self.step("create")
        if name in self.names_cached:
            raise FileExistsError(name)
        inode = Inode()
        self._change(partial(_link, name, inode))
        return MemoryFile(self, inode)

    def open(self, name: str, *, write: bool = False) -> MemoryFile:
        if name not in self.names_cached:
            raise FileNotFoundError(name)
        return MemoryFile(self, self.names_cached[name])

    def rename(self, old: str, new: str) -> None:
        self.step("rename")
        if old not in self.names_cached:
            raise FileNotFoundError(old)
        self._change(partial(_move, old, new, self.names_cached[old]))

    def unlink(self, name: str) -> None:
        self.step("unlink")
        if name not in self.names_cached:
            raise FileNotFoundError(name)
        self._change(partial(_unlink, name))

    def fsync_directory(self) -> None:
        self.step("fsync_directory")
        self.names_durable = dict(self.names_cached)
        self.changes.clear()

    def lock(self) -> None:
        if self.locked:
            raise DirectoryLocked(self.directory, 4711)
        self.locked = True

    def unlock(self) -> None:
        self.locked = False

    def holder(self) -> int | None:
        return 4711 if self.locked else None

    @property
    def crashed(self) -> bool:
        """Whether the process had ended before the newest step."""
        return self.crash_at is not None and len(self.steps) > self.crash_at

    def step(self, call: str) -> None:
        """Count a call; fail or crash if it is its turn."""
        self.steps.append(call)
        number = len(self.steps)
        if self.crash_at is not None and number >= self.crash_at:
            raise Crash(f"step {number}, {call}")
        if number == self.fail_at:
            raise OSError(ENOSPC if call == "pwrite" else EIO, call)

    def restart(self, power_cut: Random | None = None) -> "MemoryStorage":
        """Return the directory as the next process finds it; without a power cut, all of it."""
        if power_cut is not None:
            for change in self.changes:
                if power_cut.random() < 0.5:
                    change(self.names_durable)
            self.changes.clear()
            self.names_cached = dict(self.names_durable)
            for inode in self.names_cached.values():
                inode.cut_power(power_cut)
        self.locked = False
        self.steps = []
        self.crash_at = self.fail_at = None
        return self

    def content(self, name: str) -> bytes:
        """Return what a file shows."""
        return self.names_cached[name].cached

    def put(self, name: str, content: bytes | None) -> None:
        """Make a file hold `content`, durably; None removes it."""
        for names in (self.names_cached, self.names_durable):
            if content is None:
                names.pop(name, None)
            else:
                inode = names[name] = self.names_cached.get(name) or Inode()
                inode.cached = inode.durable = content

    def copy(self) -> "MemoryStorage":
        """Return another storage with the same files, all durable."""
        other = MemoryStorage()
        for name, inode in self.names_cached.items():
            other.put(name, inode.cached)
        return other

    def files(self) -> dict[str, bytes]:
        """Return the content of all files."""
        return {name: inode.cached for name, inode in self.names_cached.items()}

    def _change(self, change: Callable[[dict[str, Inode]], None]) -> None:
        change(self.names_cached)
        self.changes.append(change)


def _write(offset: int, piece: bytes, content: bytes) -> bytes:
    return content[:offset].ljust(offset, b"\0") + piece + content[offset + len(piece) :]


def _truncate(length: int, content: bytes) -> bytes:
    return content[:length].ljust(length, b"\0")


def _link(name: str, inode: Inode, names: dict[str, Inode]) -> None:
    names[name] = inode


def _move(old: str, new: str, inode: Inode, names: dict[str, Inode]) -> None:
    names.pop(old, None)
    names[new] = inode


def _unlink(name: str, names: dict[str, Inode]) -> None:
    names.pop(name, None)
