"""Running the exchange from the command line: from settings to an exit code."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NoReturn

import trio
import typer

from tradeclear.cli.progress import progress
from tradeclear.config.load import SettingsError
from tradeclear.config.settings import Settings
from tradeclear.core.state import StateDamaged
from tradeclear.model.errors import OutcomeUnknown, Quarantined
from tradeclear.pipeline.matcher import EngineFailed
from tradeclear.pipeline.recovery import Diverged, OtherVersion
from tradeclear.supervisor.descriptors import raise_descriptor_limit
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.supervisor.supervisor import AddressUnavailable, ConfigurationRefused, run
from tradeclear.telemetry import events
from tradeclear.telemetry.lines import lines
from tradeclear.telemetry.logs import configure_logs, log
from tradeclear.wal.codec import RecordUnreadable
from tradeclear.wal.errors import DirectoryLocked, LogDamaged, LogFailed, RecordNotFound
from tradeclear.wal.quarantine import QuarantineUnreadable

EXITS: dict[type[BaseException], ExitCode] = {
    EngineFailed: ExitCode.ENGINE_FAILED,
    LogFailed: ExitCode.LOG_FAILED,
    DirectoryLocked: ExitCode.LOCKED,
    LogDamaged: ExitCode.LOG_DAMAGED,
    RecordNotFound: ExitCode.LOG_DAMAGED,
    RecordUnreadable: ExitCode.LOG_DAMAGED,
    StateDamaged: ExitCode.LOG_DAMAGED,
    Diverged: ExitCode.LOG_DAMAGED,
    OtherVersion: ExitCode.LOG_DAMAGED,
    QuarantineUnreadable: ExitCode.LOG_DAMAGED,
    ConfigurationRefused: ExitCode.CONFIGURATION,
    SettingsError: ExitCode.CONFIGURATION,
    AddressUnavailable: ExitCode.UNAVAILABLE,
    Quarantined: ExitCode.CONFIGURATION,
    OutcomeUnknown: ExitCode.ERROR,
    OSError: ExitCode.ERROR,
}
"""What ended the exchange, the gravest first, and the exit code that says so."""


LAST_LINES_S: Final = 2.0
"""So long may the last lines take at the end."""


def serve_until_stopped(settings: Settings) -> None:
    """Run the exchange; returns after an orderly stop, else exits with the code that says why."""

    def ready(address: str) -> None:
        typer.echo(f"tradeclear is ready on {address}")

    run_until_stopped(
        settings,
        partial(run, settings, ready=ready, progress=partial(progress, "replaying the log")),
    )


def run_until_stopped(settings: Settings, main: Callable[[], Awaitable[None]]) -> None:
    """Run `main`, logging as the settings say. What it raises becomes an exit code."""
    raise_descriptor_limit()
    configure_logs(level=settings.log_level, json=settings.log_json)
    try:
        trio.run(main)
    except BaseExceptionGroup as group:
        _explain(group)
    except tuple(EXITS) as error:
        _explain(error)
    finally:
        lines.finish(LAST_LINES_S)


def _explain(error: BaseException) -> None:
    """End with the code of the gravest error in `error`, and its own words."""
    for kind, code in EXITS.items():
        found = error if isinstance(error, kind) else None
        if isinstance(error, BaseExceptionGroup):
            found = _first(error.subgroup(kind))
        if found is not None:
            if code == ExitCode.LOG_FAILED:
                log.error(events.LOG_FAILED, problem=str(found))
            if code == ExitCode.ENGINE_FAILED:
                log.error(events.ENGINE_FAILED, exc_info=found, problem=str(found))
            _stop(found, code)
    raise error


def _first(group: BaseException | None) -> BaseException | None:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def _stop(error: BaseException, code: ExitCode) -> NoReturn:
    lines.put(f"tradeclear: {error}\n".encode())
    raise typer.Exit(code)
