"""File names in a log directory: fixed width, so that their order as text is their order in seq."""

import re
from collections.abc import Iterable
from typing import Final

TEMPORARY_SUFFIX: Final = ".tmp"
BROKEN_SUFFIX: Final = ".broken"

_SEGMENT = re.compile(r"wal-([0-9]{20})\.log")
_SNAPSHOT = re.compile(r"snapshot-([0-9]{20})\.snap")
_TEMPORARY = re.compile(r"(wal|snapshot)-[0-9]{20}\..*\.tmp")


def segment_name(first_seq: int) -> str:
    """Return the name of the segment whose first record is `first_seq`."""
    return f"wal-{first_seq:020d}.log"


def segment_seq(name: str) -> int:
    """Return the first seq in a segment's name."""
    match = _SEGMENT.fullmatch(name)
    assert match is not None, name
    return int(match[1])


def snapshot_name(seq: int) -> str:
    """Return the name of the snapshot of the state after record `seq`."""
    return f"snapshot-{seq:020d}.snap"


def broken_name(file: str, offset: int, attempt: int) -> str:
    """Return the name under which what was cut from `file` at `offset` is kept."""
    again = f".{attempt}" if attempt else ""
    return f"{file}.{offset}{again}{BROKEN_SUFFIX}"


def segment_names(names: Iterable[str]) -> list[str]:
    """Pick the segments out of a directory listing, oldest first."""
    return sorted(name for name in names if _SEGMENT.fullmatch(name))


def snapshot_seqs(names: Iterable[str]) -> list[int]:
    """Pick the seqs of the snapshots out of a directory listing, oldest first."""
    return sorted(int(match[1]) for match in map(_SNAPSHOT.fullmatch, names) if match)


def temporary_names(names: Iterable[str]) -> list[str]:
    """Pick what interrupted writers left behind: never part of the log."""
    return sorted(name for name in names if _TEMPORARY.fullmatch(name))
