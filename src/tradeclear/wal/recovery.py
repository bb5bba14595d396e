"""Bringing a directory that a crash left behind into order, before anything is served from it.

Each step leaves a directory that is judged as before or better, so a crash in the middle of
recovery is followed by the same recovery:

1. leftovers of interrupted writers go (temporary files are never part of the log);
2. a torn tail is kept in a file of its own, durably, and only then cut off;
3. the end of the log is written again and synced: what was read may have come from a page cache
   that never reached the disk;
4. a segment whose creation was cut short goes;
5. the directory is synced.
"""

from contextlib import closing, suppress
from typing import Final

from msgspec import Struct

from tradeclear.wal.names import TEMPORARY_SUFFIX, broken_name, temporary_names
from tradeclear.wal.storage import File, Storage
from tradeclear.wal.survey import Survey
from tradeclear.wal.verdict import TornTail

_page_bytes: Final = 4096
_copy_bytes: Final = 1024 * 1024


class RecoveryReport(Struct, frozen=True, kw_only=True):
    """What was found and done: `torn` was cut and is kept in the file `broken`."""

    torn: TornTail | None = None
    broken: str | None = None
    removed: tuple[str, ...] = ()


def recover(storage: Storage, found: Survey) -> RecoveryReport:
    """Mend what a crash may leave, and make durable what was read. The caller holds the lock.

    Safe to repeat after a crash or an error at any point. `OSError` as it comes.
    """
    assert found.damage is None
    removed = temporary_names(storage.names())
    for name in removed:
        with suppress(FileNotFoundError):  # an orphan of the last process may have renamed it
            storage.unlink(name)
    broken = None
    if found.torn is not None:
        broken = cut(storage, found.torn.file, found.torn.offset)
    if found.last is not None:
        _write_again(storage, found.last.info.name, found.last.last_offset, found.last.end)
        if found.last.info.frames == 0 and len(found.segments) > 1:
            before = found.segments[-2]
            _write_again(storage, before.name, before.bytes - _page_bytes, before.bytes)
    if found.unborn is not None:
        storage.unlink(found.unborn)
        removed.append(found.unborn)
    storage.fsync_directory()
    return RecoveryReport(torn=found.torn, broken=broken, removed=tuple(removed))


def cut(storage: Storage, name: str, offset: int) -> str:
    """Cut a file at `offset`, durably; return the name of the file that keeps what was cut."""
    with closing(storage.open(name, write=True)) as file:
        broken = _keep(storage, file, name, offset)
        file.truncate(offset)
        file.fdatasync()
    return broken


def _keep(storage: Storage, file: File, name: str, offset: int) -> str:
    """Copy the file from `offset` on, whole before it has its name; a copy that is there stays."""
    length = file.size() - offset
    broken = _broken_name(storage, file, name, offset, length)
    if broken not in storage.names():
        temporary = broken + TEMPORARY_SUFFIX
        if temporary in storage.names():
            storage.unlink(temporary)
        with closing(storage.create(temporary)) as copy:
            for start in range(0, length, _copy_bytes):
                data = file.pread(offset + start, min(_copy_bytes, length - start))
                copy.pwrite(start, data)
            copy.fdatasync()
        storage.rename(temporary, broken)
    storage.fsync_directory()
    return broken


def _broken_name(storage: Storage, file: File, name: str, offset: int, length: int) -> str:
    """Find a name that is free, or has just these bytes since a recovery that was interrupted."""
    names = storage.names()
    attempt = 0
    while (broken := broken_name(name, offset, attempt)) in names:
        with closing(storage.open(broken)) as kept:
            if kept.pread(0, length + 1) == file.pread(offset, length):
                break
        attempt += 1
    return broken


def _write_again(storage: Storage, name: str, start: int, end: int) -> None:
    """Write the bytes of a file from the page of `start` to `end` as they are, and sync them."""
    start = max(0, start - start % _page_bytes)
    with closing(storage.open(name, write=True)) as file:
        file.pwrite(start, file.pread(start, end - start))
        file.fdatasync()
