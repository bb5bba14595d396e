"""A log directory in memory, to be damaged and looked at: names and bytes, nothing else.

It keeps everything that is written, so it tells nothing about power cuts. What it is for is speed:
hundreds of thousands of directories are made, each from the same bytes but for one.
"""

from collections.abc import Mapping
from typing import Final

from tradeclear.wal.errors import DirectoryLocked


class DamageFile:
    """See `File`."""

    __slots__ = ("_files", "_name")

    def __init__(self, files: dict[str, bytes], name: str) -> None:
        self._files: Final = files
        self._name: Final = name

    def size(self) -> int:
        """See `File`."""
        return len(self._files[self._name])

    def pread(self, offset: int, length: int) -> bytes:
        """See `File`."""
        assert offset >= 0, f"{self._name} is read at {offset}"
        return self._files[self._name][offset : offset + length]

    def pwrite(self, offset: int, data: bytes) -> None:
        """See `File`."""
        was = self._files[self._name]
        before = was[:offset].ljust(offset, b"\0")
        self._files[self._name] = before + data + was[offset + len(data) :]

    def truncate(self, length: int) -> None:
        """See `File`."""
        self._files[self._name] = self._files[self._name][:length].ljust(length, b"\0")

    def fdatasync(self) -> None:
        """See `File`."""

    def close(self) -> None:
        """See `File`."""


class DamageStorage:
    """See `Storage`. `files` is what the directory holds, by name."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files: Final[dict[str, bytes]] = dict(files or {})
        self._locked = False

    @property
    def directory(self) -> str:
        """See `Storage`."""
        return "the damaged directory"

    def names(self) -> list[str]:
        """See `Storage`."""
        return list(self.files)

    def create(self, name: str) -> DamageFile:
        """See `Storage`."""
        if name in self.files:
            raise FileExistsError(name)
        self.files[name] = b""
        return DamageFile(self.files, name)

    def open(self, name: str, *, write: bool = False) -> DamageFile:
        """See `Storage`."""
        if name not in self.files:
            raise FileNotFoundError(name)
        return DamageFile(self.files, name)

    def rename(self, old: str, new: str) -> None:
        """See `Storage`."""
        if old not in self.files:
            raise FileNotFoundError(old)
        self.files[new] = self.files.pop(old)

    def unlink(self, name: str) -> None:
        """See `Storage`."""
        if name not in self.files:
            raise FileNotFoundError(name)
        del self.files[name]

    def fsync_directory(self) -> None:
        """See `Storage`."""

    def lock(self) -> None:
        """See `Storage`."""
        if self._locked:
            raise DirectoryLocked(self.directory, None)
        self._locked = True

    def unlock(self) -> None:
        """See `Storage`."""
        self._locked = False

    def holder(self) -> int | None:
        """See `Storage`."""
        return None
