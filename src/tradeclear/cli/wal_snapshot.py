"""`tradeclear wal snapshot`: the state at a place in the log, as a snapshot file elsewhere."""

import os
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from tradeclear.cli.moments import OPEN, Moment, parse_target
from tradeclear.cli.replica import Replica, make_replica
from tradeclear.cli.tables import show_facts, show_json
from tradeclear.cli.wal_directory import DirectoryArgument, JsonOption, explained, opened, stop
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.supervisor.snapshot_files import write_snapshot
from tradeclear.wal.names import segment_names, snapshot_name
from tradeclear.wal.posix import PosixStorage


class _Named(PosixStorage):
    """A directory in which a snapshot gets another name than its own."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent)
        self._name = path.name

    def rename(self, old: str, new: str) -> None:
        """See `Storage`."""
        super().rename(old, self._name)


def snapshot(
    out: Annotated[
        Path, typer.Option(metavar="DIR|FILE", help="Where to: a directory, or a file's name.")
    ],
    directory: DirectoryArgument = None,
    until: Annotated[
        Moment | None,
        typer.Option(
            parser=parse_target,
            metavar="SEQ|TIME",
            help="The state after this record, or at this time; by default the newest.",
        ),
    ] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Use no snapshot: run every record again.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write the state as a snapshot file, durable when the command ends.

    Never into a directory with a log: a server makes its own snapshots, and one of another history
    would pass for its own. Nothing is overwritten.

    Example: tradeclear wal snapshot wal --until 1000 --out /backup
    """
    with opened(directory) as storage:
        _check_elsewhere(out)
        started = perf_counter()
        replica = make_replica(storage, until or OPEN, from_start=from_start)
        path = out / snapshot_name(replica.seq) if out.is_dir() else out
        with explained(path):
            facts = _write(replica, path, started)
        if json:
            show_json(facts)
        else:
            show_facts(facts.items())


def _write(replica: Replica, path: Path, started: float) -> dict[str, str | int]:
    if path.exists():
        stop(f"{path} is there already: remove it, or name another file", ExitCode.USAGE)
    with closing(_Named(path)) as target:
        info = write_snapshot(target, replica.engine, started)
    return {
        "seq": info.seq,
        "file": str(path),
        "bytes": info.bytes,
        "state_hash": info.state_hash,
        "from_snapshot": replica.snapshot_seq,
        "replayed": replica.replayed,
    }


def _check_elsewhere(out: Path) -> None:
    """Refuse a target in, or below, a directory that holds a log."""
    target = out.resolve()
    place = target if target.is_dir() else target.parent
    if not place.is_dir():
        stop(f"{out}: there is no directory {place}", ExitCode.USAGE)
    for folder in (place, *place.parents):
        if not _holds_log(folder):
            continue
        with closing(PosixStorage(folder)) as storage:
            writer = storage.holder()
        if writer is not None:
            stop(f"{out} is in {folder}, where process {writer} writes its log", ExitCode.LOCKED)
        if folder == place:
            stop(f"{out}: {folder} holds a log: name a directory elsewhere", ExitCode.USAGE)


def _holds_log(folder: Path) -> bool:
    try:
        return bool(segment_names(os.listdir(folder)))
    except PermissionError:
        return False
