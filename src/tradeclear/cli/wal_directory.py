"""The log directory that a `wal` command looks at, and how the command ends when it can't.

What goes wrong is told on standard error: the file, the byte, what was expected there, the remedy;
the exit code says which kind of wrong it is.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from tradeclear.config.load import SettingsError, load_settings
from tradeclear.core.state import StateDamaged
from tradeclear.pipeline.recovery import Diverged, OtherVersion
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.wal.codec import RecordUnreadable
from tradeclear.wal.errors import (
    DirectoryLocked,
    LogDamaged,
    LogFailed,
    RecordNotFound,
    SnapshotFailed,
    SnapshotNotFound,
)
from tradeclear.wal.names import segment_names, snapshot_seqs
from tradeclear.wal.posix import PosixStorage
from tradeclear.wal.storage import Storage
from tradeclear.wal.verdict import TornTail

EXITS: Final[dict[type[Exception], ExitCode]] = {
    LogDamaged: ExitCode.LOG_DAMAGED,
    RecordUnreadable: ExitCode.LOG_DAMAGED,
    StateDamaged: ExitCode.LOG_DAMAGED,
    Diverged: ExitCode.LOG_DAMAGED,
    OtherVersion: ExitCode.LOG_DAMAGED,
    DirectoryLocked: ExitCode.LOCKED,
    LogFailed: ExitCode.LOG_FAILED,
    SnapshotFailed: ExitCode.LOG_FAILED,
    RecordNotFound: ExitCode.ERROR,
    SnapshotNotFound: ExitCode.ERROR,
    OSError: ExitCode.LOG_FAILED,
}
"""What ends a command, and the exit code that says so."""

DirectoryArgument = Annotated[
    Path | None,
    typer.Argument(
        help="Directory of the log. By default what `serve` takes: TRADECLEAR_WAL_DIR, else wal.",
        show_default=False,
    ),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@contextmanager
def opened(directory: Path | None, *, empty_allowed: bool = False) -> Iterator[PosixStorage]:
    """A log directory, open; errors in the block end the program with their exit code.

    A directory without a log is refused, for it is probably the wrong one; `empty_allowed` where
    a log may still begin in it.
    """
    path = _default() if directory is None else directory
    with explained(path), closing(_open(path)) as storage:
        if not empty_allowed:
            _require_log(storage)
        yield storage


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Turn what goes wrong at `place` into a message and an exit code."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_output()
        raise typer.Exit(ExitCode.OK) from None
    except tuple(EXITS) as error:
        code = next(code for kind, code in EXITS.items() if isinstance(error, kind))
        stop(f"{place}: {error}", code)


def stop(message: str, code: ExitCode) -> NoReturn:
    """Say why, and end."""
    say(message)
    raise typer.Exit(code)


def say(message: str) -> None:
    """Tell the person at the terminal, beside the output."""
    sys.stdout.flush()
    typer.echo(f"tradeclear: {message}", err=True)


def torn_text(storage: Storage, torn: TornTail) -> str:
    """Describe a torn tail: what it is, and that it is no reason to worry."""
    return (
        f"{storage.directory}: {torn.file} at byte {torn.offset}: a torn tail of {torn.length} "
        f"bytes, from record {torn.first_seq} on: {torn.reason}. Nobody was told about what it "
        "held. The next start cuts it off and keeps it as .broken, and so does "
        f"`tradeclear wal repair {storage.directory}`."
    )


def _default() -> Path:
    try:
        return Path(load_settings().wal_dir)
    except SettingsError as error:
        stop(f"{error} (or name the directory)", ExitCode.CONFIGURATION)


def _open(path: Path) -> PosixStorage:
    try:
        return PosixStorage(path)
    except OSError as error:
        stop(
            f"{path}: {error.strerror}: give the directory of a log, or set TRADECLEAR_WAL_DIR",
            ExitCode.USAGE,
        )


def _require_log(storage: Storage) -> None:
    names = storage.names()
    if not segment_names(names) and not snapshot_seqs(names):
        stop(
            f"{storage.directory} holds no log (no wal-….log): `tradeclear serve` begins one, or "
            "give another directory",
            ExitCode.USAGE,
        )


def _let_go_of_output() -> None:
    """The reader of our output has gone: nothing more to say, not at the interpreter's end either.

    Output that is no descriptor (a test's) needs none of this.
    """
    try:
        descriptor = sys.stdout.fileno()
    except OSError:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
