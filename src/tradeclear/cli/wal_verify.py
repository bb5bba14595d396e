"""`tradeclear wal verify`: read every byte, and say what is wrong, where, and what to do."""

from contextlib import suppress
from time import perf_counter
from typing import Annotated

import typer
from msgspec import Struct

from tradeclear.cli.progress import progress
from tradeclear.cli.replica import check_hash, run_on, snapshot_engine
from tradeclear.cli.tables import show_facts, show_json
from tradeclear.cli.wal_directory import DirectoryArgument, JsonOption, opened, say, torn_text
from tradeclear.core.engine import Engine
from tradeclear.model.units import Seq
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.wal.errors import Damage, SnapshotNotFound
from tradeclear.wal.storage import Storage
from tradeclear.wal.verdict import TornTail
from tradeclear.wal.verification import VerifyReport
from tradeclear.wal.verification import verify as verify_files


class Finding(Struct, frozen=True, kw_only=True):
    """What `verify` found. `verdict`: clean, torn_tail (mended by the next start), or damaged.

    `replayed` are the records that were run again, None if that was not asked for.
    """

    directory: str
    verdict: str
    writer: int | None
    first_seq: int
    last_seq: int
    records: int
    commits: int
    bytes: int
    segments: int
    snapshots: int
    seconds: float
    damage: list[Damage]
    torn_tail: TornTail | None
    in_flight: TornTail | None
    replayed: int | None = None


def verify(
    directory: DirectoryArgument = None,
    rerun: Annotated[
        bool,
        typer.Option(
            "--replay",
            help="Run every record again too, compare its events byte for byte, and the state "
            "with every snapshot's hash.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check every frame's checksum, the chain through all segments, the order of seq, snapshots.

    Exits with 0 if all is well, also while a server writes; with 65 at damage; with 1 at a torn
    tail, which the next start (or `repair`) cuts off.

    Example: tradeclear wal verify wal --replay
    """
    with opened(directory) as storage:
        started = perf_counter()
        with progress("verifying") as show:
            report = verify_files(storage, show)
        sound = report.damage is None and not report.snapshot_damage
        replayed = _rerun(storage, report) if rerun and sound else None
        finding = _finding(storage, report, replayed, perf_counter() - started)
        if json:
            show_json(finding)
        else:
            plain = [n for n in Finding.__struct_fields__ if n not in ("damage", "torn_tail")]
            show_facts((name, _cell(name, getattr(finding, name))) for name in plain)
        _judge(storage, finding)


def _finding(
    storage: Storage, report: VerifyReport, replayed: int | None, seconds: float
) -> Finding:
    damage = [*([] if report.damage is None else [report.damage]), *report.snapshot_damage]
    return Finding(
        directory=storage.directory,
        verdict="damaged" if damage else report.verdict,
        writer=report.holder,
        first_seq=report.first_seq,
        last_seq=report.last_seq,
        records=report.records,
        commits=report.frames,
        bytes=report.bytes,
        segments=len(report.segments),
        snapshots=len(report.snapshots),
        seconds=round(seconds, 3),
        damage=damage,
        torn_tail=report.torn,
        in_flight=report.in_flight,
        replayed=replayed,
    )


def _cell(name: str, value: object) -> str | int | None:
    if isinstance(value, TornTail):
        return f"{value.length}_bytes_from_record_{value.first_seq}"
    return value if isinstance(value, str | int | None) else str(value)


def _judge(storage: Storage, finding: Finding) -> None:
    for damage in finding.damage:
        say(f"{storage.directory}: {damage}")
    if finding.damage:
        raise typer.Exit(ExitCode.LOG_DAMAGED)
    if finding.torn_tail is not None:
        say(torn_text(storage, finding.torn_tail))
        raise typer.Exit(ExitCode.ERROR)


def _rerun(storage: Storage, report: VerifyReport) -> int:
    """Run the records again from one snapshot to the next. Raises `Diverged`."""
    seqs = [info.seq for info in report.snapshots if info.seq >= report.first_seq - 1]
    engine = Engine() if report.first_seq == 1 else _oldest(storage, seqs)
    replayed = 0
    with progress("running again") as show:
        for seq in [*seqs, report.last_seq]:
            if seq > engine.seq:
                replayed += run_on(
                    storage, engine, until=seq, progress=lambda at: show(at, report.last_seq)
                )
            check_hash(storage, engine)
    return replayed


def _oldest(storage: Storage, seqs: list[Seq]) -> Engine:
    """The engine of the oldest snapshot that is still there: a live server removes old ones."""
    for seq in seqs:
        with suppress(SnapshotNotFound):
            return snapshot_engine(storage, seq)
    return Engine()
