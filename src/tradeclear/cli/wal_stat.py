"""`tradeclear wal stat`: what is in a log, counted."""

from collections import Counter
from contextlib import closing
from typing import Any

import msgspec
import typer
from msgspec import Raw, Struct, field

from tradeclear.cli.grids import Grids, grids_before
from tradeclear.cli.log_records import records_of
from tradeclear.cli.progress import progress
from tradeclear.cli.rendering import instrument_fields
from tradeclear.cli.tables import cell, show_facts, show_json, show_line, show_table
from tradeclear.cli.wal_directory import DirectoryArgument, JsonOption, opened, say, torn_text
from tradeclear.gateway.views import time_text
from tradeclear.model import decimals
from tradeclear.model.commands import Configure
from tradeclear.model.events import Record, TradeExecuted
from tradeclear.model.units import Micros
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.wal.cursor import Cursor
from tradeclear.wal.errors import LogDamaged
from tradeclear.wal.frame import Frame
from tradeclear.wal.names import segment_names, segment_seq, snapshot_seqs
from tradeclear.wal.storage import Storage
from tradeclear.wal.survey import survey


class Totals(Struct, kw_only=True):
    """What was counted up to a place in the log. A commit is a frame; bytes are those of frames."""

    records: int = 0
    commits: int = 0
    bytes: int = 0
    first_seq: int | None = None
    last_seq: int | None = None
    first_time: Micros | None = None
    last_time: Micros | None = None
    commands: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    trades: Counter[str] = field(default_factory=Counter)
    versions: list[tuple[int, int]] = field(default_factory=list)

    def add(self, frame: Frame, records: list[Record]) -> None:
        """Count a frame and its records."""
        self.commits += 1
        self.bytes += frame.end - frame.offset
        self.records += len(records)
        if self.first_seq is None:
            self.first_seq, self.first_time = records[0].seq, records[0].time
        self.last_seq, self.last_time = records[-1].seq, records[-1].time
        for record in records:
            self.commands[type(record.command).__name__] += 1
            if isinstance(record.command, Configure):
                self._note_version(record.command)
            for event in record.events:
                self.events[type(event).__name__] += 1
                if isinstance(event, TradeExecuted):
                    self.trades[event.instrument] += 1

    def _note_version(self, command: Configure) -> None:
        versions = (command.engine_version, command.codec_version)
        if versions not in self.versions:
            self.versions.append(versions)


class Summary(Struct, frozen=True, kw_only=True):
    """What is told. `writer` is the process that has the directory open; `trades` by instrument."""

    directory: str
    writer: int | None
    segments: int
    snapshots: int
    first_seq: int | None
    last_seq: int | None
    first_time: str | None
    last_time: str | None
    records: int
    commits: int
    bytes: int
    records_per_commit: Raw | None
    bytes_per_record: Raw | None
    commands: dict[str, int]
    events: dict[str, int]
    trades: dict[str, int]
    versions: list[tuple[int, int]]
    instruments: list[dict[str, Any]]


def stat(directory: DirectoryArgument = None, json: JsonOption = False) -> None:
    """Count records, events, trades and commits. Reads the whole log.

    Where the log is damaged, everything before that place is counted.

    Example: tradeclear wal stat wal --json
    """
    with opened(directory) as storage:
        first_seq = _first_seq(storage)
        totals, grids = Totals(), grids_before(storage, first_seq)
        found = survey(storage)
        damage = found.damage
        with closing(Cursor(storage, first_seq)) as cursor:
            try:
                _count(cursor, totals, grids, whole=sum(info.bytes for info in found.segments))
            except LogDamaged as error:
                damage = error.damage
            summary = _summary(storage, totals, grids)
            if json:
                show_json(summary)
            else:
                _show(summary)
            if damage is not None:
                raise LogDamaged(damage)
            if cursor.torn is not None and summary.writer is None:
                say(torn_text(storage, cursor.torn))
                raise typer.Exit(ExitCode.ERROR)


def _first_seq(storage: Storage) -> int:
    names = segment_names(storage.names())
    return segment_seq(names[0]) if names else 1


def _count(cursor: Cursor, totals: Totals, grids: Grids, *, whole: int) -> None:
    with progress("counting") as show:
        for frame in cursor.frames():
            totals.add(frame, records_of(frame))
            grids.note_frame(frame, before=frame.last_seq + 1)
            show(totals.bytes, whole)


def _summary(storage: Storage, totals: Totals, grids: Grids) -> Summary:
    names = storage.names()
    return Summary(
        directory=storage.directory,
        writer=storage.holder(),
        segments=len(segment_names(names)),
        snapshots=len(snapshot_seqs(names)),
        first_seq=totals.first_seq,
        last_seq=totals.last_seq,
        first_time=None if totals.first_time is None else time_text(totals.first_time),
        last_time=None if totals.last_time is None else time_text(totals.last_time),
        records=totals.records,
        commits=totals.commits,
        bytes=totals.bytes,
        records_per_commit=_ratio(totals.records, totals.commits),
        bytes_per_record=_ratio(totals.bytes, totals.records),
        commands=dict(totals.commands.most_common()),
        events=dict(totals.events.most_common()),
        trades=dict(totals.trades.most_common()),
        versions=totals.versions,
        instruments=[instrument_fields(known) for known in grids.instruments.values()],
    )


def _ratio(count: int, by: int) -> Raw | None:
    """One decimal, as a JSON number."""
    if not by:
        return None
    return Raw(decimals.render(decimals.divide_half_even(10 * count, by), 1).encode())


def _show(summary: Summary) -> None:
    values = msgspec.structs.asdict(summary)
    plain = [
        (name, cell(each)) for name, each in values.items() if not isinstance(each, dict | list)
    ]
    versions = " ".join(f"engine={engine},codec={codec}" for engine, codec in summary.versions)
    show_facts([*plain, ("versions", versions)])
    for name in ("commands", "events", "trades"):
        counted: dict[str, int] = getattr(summary, name)
        if counted:
            show_line()
            show_table([name, "count"], counted.items())
    if summary.instruments:
        show_line()
        columns = list(summary.instruments[0])
        show_table(columns, ([cell(row[c]) for c in columns] for row in summary.instruments))
