"""The storage port on a POSIX directory (Linux: fdatasync, flock, /proc/locks).

All names are resolved against one descriptor of the directory, which also carries the lock: a
process that was stopped and comes back writes where it holds the lock, or nowhere. There is no lock
file that somebody could remove. Interrupted calls are repeated by Python itself (PEP 475).
"""

import fcntl
import os
from pathlib import Path

from tradeclear.wal.errors import DirectoryLocked

_MODE = 0o640


class PosixFile:
    """A descriptor, read and written by position."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def size(self) -> int:
        """See `File`."""
        return os.fstat(self._descriptor).st_size

    def pread(self, offset: int, length: int) -> bytes:
        """See `File`. One call, but where the kernel returns less than is there."""
        data = os.pread(self._descriptor, length, offset)
        while data and len(data) < length:
            more = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def pwrite(self, offset: int, data: bytes) -> None:
        """See `File`. One call, but where the kernel takes less than it was given."""
        written = os.pwrite(self._descriptor, data, offset)
        while written < len(data):
            written += os.pwrite(self._descriptor, memoryview(data)[written:], offset + written)

    def truncate(self, length: int) -> None:
        """See `File`."""
        os.ftruncate(self._descriptor, length)

    def fdatasync(self) -> None:
        """See `File`."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """See `File`."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class PosixStorage:
    """A directory on a local disk."""

    def __init__(self, directory: str | os.PathLike[str], *, create: bool = False) -> None:
        """Open `directory`; with `create`, make it first (its parent must exist), durably.

        `FileNotFoundError` or `NotADirectoryError` when it isn't there.
        """
        self._path = Path(directory).absolute()
        if create:
            _make(self._path)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags)
        self._locked = False

    @property
    def directory(self) -> str:
        """See `Storage`."""
        return str(self._path)

    def names(self) -> list[str]:
        """See `Storage`."""
        return os.listdir(self._descriptor)

    def create(self, name: str) -> PosixFile:
        """See `Storage`."""
        return self._open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)

    def open(self, name: str, *, write: bool = False) -> PosixFile:
        """See `Storage`."""
        return self._open(name, os.O_RDWR if write else os.O_RDONLY)

    def rename(self, old: str, new: str) -> None:
        """See `Storage`."""
        os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def unlink(self, name: str) -> None:
        """See `Storage`."""
        os.unlink(name, dir_fd=self._descriptor)

    def fsync_directory(self) -> None:
        """See `Storage`."""
        os.fsync(self._descriptor)

    def lock(self) -> None:
        """See `Storage`."""
        if self._locked:
            raise DirectoryLocked(self.directory, os.getpid())
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryLocked(self.directory, self.holder()) from None
        self._locked = True

    def unlock(self) -> None:
        """See `Storage`."""
        if self._locked:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._locked = False

    def holder(self) -> int | None:
        """See `Storage`. Read from /proc/locks, which shows the processes of its own namespace."""
        try:
            rows = Path("/proc/locks").read_text().splitlines()
        except OSError:
            return None
        inode = str(os.fstat(self._descriptor).st_ino)
        for row in rows:
            pid = _flock_holder(row, inode)
            if pid is not None:
                return pid
        return None

    def close(self) -> None:
        """Let go of the directory, and of the lock with it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _open(self, name: str, flags: int) -> PosixFile:
        return PosixFile(os.open(name, flags | os.O_CLOEXEC, _MODE, dir_fd=self._descriptor))


def _flock_holder(row: str, inode: str) -> int | None:
    """Return the process in a row of /proc/locks that holds an exclusive flock on `inode`.

    `7: FLOCK  ADVISORY  WRITE 4711 fe:00:2156819 0 EOF`; the device is not compared, because stat
    and the kernel name it differently on btrfs and overlayfs. A row with `->` is only waiting.
    """
    fields = row.split()
    if len(fields) < 6 or fields[1:4] != ["FLOCK", "ADVISORY", "WRITE"]:
        return None
    pid = int(fields[4])
    return pid if fields[5].rpartition(":")[2] == inode and pid > 0 else None


def _make(path: Path) -> None:
    """Make a directory whose name survives a power cut."""
    path.mkdir(mode=0o750, exist_ok=True)
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
