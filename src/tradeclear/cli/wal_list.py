"""`tradeclear wal ls`: what lies in a log directory."""

from contextlib import closing
from typing import Any

import typer
from msgspec import Struct

from tradeclear.cli.log_records import first_time, last_time
from tradeclear.cli.tables import show_json, show_line, show_table
from tradeclear.cli.wal_directory import DirectoryArgument, JsonOption, opened, say, torn_text
from tradeclear.gateway.views import time_text
from tradeclear.model.units import Micros
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.wal import snapshots
from tradeclear.wal.codec import RecordUnreadable
from tradeclear.wal.errors import (
    Damage,
    LogDamaged,
    RecordPruned,
    SnapshotDamaged,
    SnapshotNotFound,
)
from tradeclear.wal.names import BROKEN_SUFFIX
from tradeclear.wal.segment import SegmentInfo
from tradeclear.wal.snapshot_file import SnapshotInfo
from tradeclear.wal.storage import Storage
from tradeclear.wal.survey import survey
from tradeclear.wal.verdict import TornTail
from tradeclear.wal.verification import segments


class SegmentRow(Struct, frozen=True, kw_only=True):
    """A segment. `commits` are the frames in it; times are those of its first and last record."""

    file: str
    first_seq: int
    last_seq: int
    records: int
    commits: int
    bytes: int
    sealed: bool
    first_time: str | None
    last_time: str | None


class SnapshotRow(Struct, frozen=True, kw_only=True):
    """A snapshot, by its own word; not even that can be read of one that is damaged."""

    file: str
    seq: int
    bytes: int
    good: bool
    state_hash: str | None = None
    created_at: str | None = None


class Listing(Struct, frozen=True, kw_only=True):
    """A log directory. `writer` is the process that has it open; `kept` is what repairs cut off."""

    directory: str
    writer: int | None
    segments: list[SegmentRow]
    snapshots: list[SnapshotRow]
    kept: list[str]


def ls(directory: DirectoryArgument = None, json: JsonOption = False) -> None:
    """List segments, snapshots, and what repairs have kept.

    Looks at both ends of every segment; `verify` reads every byte.

    Example: tradeclear wal ls wal
    """
    with opened(directory) as storage:
        found = survey(storage)
        listing, damage = _list(storage)
        if json:
            show_json(listing)
        else:
            _show(listing)
        _judge(storage, found.torn, [*([found.damage] if found.damage else []), *damage])


def _list(storage: Storage) -> tuple[Listing, list[Damage]]:
    rows: list[SnapshotRow] = []
    damage: list[Damage] = []
    for seq in snapshots.seqs(storage):
        try:
            with closing(snapshots.read(storage, seq)) as reader:
                rows.append(_snapshot_row(reader.info))
        except SnapshotDamaged as error:
            rows.append(SnapshotRow(file=error.file, seq=seq, bytes=0, good=False))
            damage.append(error.damage)
        except SnapshotNotFound:
            continue  # removed since we listed the names
    listing = Listing(
        directory=storage.directory,
        writer=storage.holder(),
        segments=[_segment_row(storage, info) for info in segments(storage)],
        snapshots=rows,
        kept=sorted(name for name in storage.names() if name.endswith(BROKEN_SUFFIX)),
    )
    return listing, damage


def _segment_row(storage: Storage, info: SegmentInfo) -> SegmentRow:
    begins, ends = _times(storage, info)
    return SegmentRow(
        file=info.name,
        first_seq=info.first_seq,
        last_seq=info.last_seq,
        records=info.records,
        commits=info.frames,
        bytes=info.bytes,
        sealed=info.sealed,
        first_time=None if begins is None else time_text(begins),
        last_time=None if ends is None else time_text(ends),
    )


def _times(storage: Storage, info: SegmentInfo) -> tuple[Micros | None, Micros | None]:
    """Of the first and the last record; unknown where they can't be read (any more)."""
    if not info.frames:
        return None, None
    try:
        return first_time(storage, info.first_seq), last_time(storage, info)
    except (FileNotFoundError, RecordPruned, LogDamaged, RecordUnreadable):
        return None, None


def _snapshot_row(info: SnapshotInfo) -> SnapshotRow:
    meta: dict[str, Any] = info.meta
    return SnapshotRow(
        file=info.name,
        seq=info.seq,
        bytes=info.bytes,
        good=True,
        state_hash=meta.get("state_hash"),
        created_at=meta.get("created_at"),
    )


def _show(listing: Listing) -> None:
    if listing.segments:
        columns = SegmentRow.__struct_fields__
        show_table(columns, ([getattr(row, c) for c in columns] for row in listing.segments))
    if listing.snapshots:
        show_line()
        columns = SnapshotRow.__struct_fields__
        show_table(columns, ([getattr(row, c) for c in columns] for row in listing.snapshots))
    if listing.kept:
        show_line()
        show_table(["kept"], ([name] for name in listing.kept))


def _judge(storage: Storage, torn: TornTail | None, damage: list[Damage]) -> None:
    for each in damage:
        say(f"{storage.directory}: {each}")
    if damage:
        raise typer.Exit(ExitCode.LOG_DAMAGED)
    if torn is not None and storage.holder() is None:
        say(torn_text(storage, torn))
        raise typer.Exit(ExitCode.ERROR)
