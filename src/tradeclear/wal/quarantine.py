"""The quarantine file: digests of commands that once made the engine raise, one JSON line each.

Kept beside the log, not in it: the log holds only what was decided. Written and synced before the
process ends, read at the next start.
"""

from contextlib import closing
from typing import Final

import msgspec
from msgspec import Struct

from tradeclear.wal.storage import Storage

QUARANTINE_NAME: Final = "quarantine.jsonl"
ENTRIES_MAX: Final = 10_000
"""So many are read; a file that grew past that needs a person, not a longer list."""


class Entry(Struct, frozen=True):
    """A refused command: hex digest of what it asks for, the seq it would have had, the error."""

    digest: str
    seq: int
    problem: str


class Quarantine:
    """The commands that are refused."""

    def __init__(self, storage: Storage) -> None:
        self._storage: Final = storage
        self._entries: Final = [_entry(line) for line in _read(storage).splitlines() if line]
        if len(self._entries) > ENTRIES_MAX:
            raise QuarantineUnreadable(f"{QUARANTINE_NAME} has more than {ENTRIES_MAX} entries")
        self._digests: Final = {bytes.fromhex(entry.digest) for entry in self._entries}

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._digests

    def __len__(self) -> int:
        return len(self._digests)

    def add(self, digest: bytes, *, seq: int, problem: str) -> None:
        """Refuse a command from now on, durably. Blocking; `OSError` as it comes."""
        entry = Entry(digest=digest.hex(), seq=seq, problem=problem)
        self._entries.append(entry)
        self._digests.add(digest)
        temporary = QUARANTINE_NAME + ".tmp"
        if temporary in self._storage.names():
            self._storage.unlink(temporary)
        with closing(self._storage.create(temporary)) as file:
            file.pwrite(0, b"".join(msgspec.json.encode(each) + b"\n" for each in self._entries))
            file.fdatasync()
        self._storage.rename(temporary, QUARANTINE_NAME)
        self._storage.fsync_directory()


class QuarantineUnreadable(Exception):
    """The quarantine file is not what was written: mend or remove it by hand, then start again."""


def _read(storage: Storage) -> bytes:
    try:
        with closing(storage.open(QUARANTINE_NAME)) as file:
            return file.pread(0, file.size())
    except FileNotFoundError:
        return b""


def _entry(line: bytes) -> Entry:
    try:
        return msgspec.json.decode(line, type=Entry)
    except msgspec.MsgspecError as error:
        raise QuarantineUnreadable(f"{QUARANTINE_NAME}: {error} in {line[:80]!r}") from None
