"""The storage port: everything this package does to a disk, and nothing else does.

One storage is one directory, flat. Names are plain file names. Every error is an `OSError`
(`FileNotFoundError` and `FileExistsError` where they apply). What the rest of the package may
believe about a disk:

- written bytes are durable only once a later `fdatasync` of that file has returned; until then any
  part of them may be lost, in any order, and the file may be longer or shorter than was written;
- a created, renamed or unlinked name is durable only once a later `fsync_directory` has returned;
- after an error from a sync, nothing written since the last good one is known to be durable, also
  if a later sync succeeds;
- bytes that were read may never have been durable.
"""

from typing import Protocol


class File(Protocol):
    """An open file. Reads may come from any thread; writes come from one at a time."""

    def size(self) -> int:
        """Return its length in bytes."""

    def pread(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`; fewer only at the end of the file."""

    def pwrite(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`, growing the file as needed.

        After an error any part may have been written.
        """

    def truncate(self, length: int) -> None:
        """Cut the file to `length` bytes."""

    def fdatasync(self) -> None:
        """Make its content and length durable."""

    def close(self) -> None:
        """Let go of it. What was not synced stays not synced. Closing twice is allowed."""


class Storage(Protocol):
    """A directory of a log."""

    @property
    def directory(self) -> str:
        """What to call it in messages."""

    def names(self) -> list[str]:
        """List the files, in any order."""

    def create(self, name: str) -> File:
        """Create a file for reading and writing; `FileExistsError` if the name is taken."""

    def open(self, name: str, *, write: bool = False) -> File:
        """Open a file for reading, or for reading and writing; `FileNotFoundError` if missing."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, replacing atomically what had it."""

    def unlink(self, name: str) -> None:
        """Remove a name."""

    def fsync_directory(self) -> None:
        """Make all names durable: created, renamed, removed."""

    def lock(self) -> None:
        """Become the directory's one writer until `unlock`; `DirectoryLocked` if there is one.

        Held by this object, not by the process: a second storage in the same process is refused.
        """

    def unlock(self) -> None:
        """Let go of the lock; nothing if it is not held. The end of the process does it too."""

    def holder(self) -> int | None:
        """Return the writer's process id, or None if there is none or it can't be told.

        Only looks: it never takes the lock, so it can't be in the way of a server that starts.
        """
