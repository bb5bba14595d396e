"""`tradeclear wal repair`: mend a torn tail by hand; give records up only if told so exactly."""

from typing import Annotated

import typer

from tradeclear.cli.tables import show_facts, show_json
from tradeclear.cli.wal_directory import DirectoryArgument, JsonOption, opened, stop
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.wal.errors import RepairRefused
from tradeclear.wal.repairs import RepairReport
from tradeclear.wal.repairs import repair as repair_log
from tradeclear.wal.storage import Storage
from tradeclear.wal.survey import survey


def repair(
    directory: DirectoryArgument = None,
    lose_records_after: Annotated[
        int | None,
        typer.Option(
            metavar="SEQ",
            min=0,
            help="Damage only: give up every record after SEQ for good, acknowledged orders and "
            "trades too. Must be exactly the last whole record that `wal verify` names.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Do what the next start would do with a torn tail: cut it off, and keep it as .broken.

    The only `wal` command that writes. It refuses a directory that a server has open (exit code
    75), and damage anywhere but in the tail (65), where a copy of the file is the remedy. Nothing
    is ever deleted: what is cut or set aside stays beside the log as .broken.

    Example: tradeclear wal repair wal
    """
    with opened(directory) as storage:
        try:
            report = repair_log(storage, lose_records_after=lose_records_after)
        except RepairRefused as error:
            damaged = survey(storage, deep=True).damage is not None
            code = ExitCode.LOG_DAMAGED if damaged else ExitCode.USAGE
            stop(f"{storage.directory}: {error}", code)
        if json:
            show_json({"directory": storage.directory, "report": report})
        else:
            show_facts(_facts(storage, report))


def _facts(storage: Storage, report: RepairReport) -> list[tuple[str, str | int | None]]:
    torn = report.recovery.torn
    facts: list[tuple[str, str | int | None]] = [
        ("directory", storage.directory),
        ("done", _done(report)),
        ("last_seq", report.last_seq),
    ]
    if torn is not None:
        facts += [
            ("cut", f"{torn.length}_bytes"),
            ("cut_from", torn.file),
            ("cut_at_byte", torn.offset),
            ("cut_first_seq", torn.first_seq),
            ("cut_last_seq", torn.last_seq),
        ]
    if report.lost_last_seq is not None:
        facts += [("lost_records", f"{report.last_seq + 1}-{report.lost_last_seq}")]
    facts += [("kept_as", name) for name in report.broken]
    facts += [("removed", name) for name in report.recovery.removed]
    return facts


def _done(report: RepairReport) -> str:
    if report.gave_up is not None:
        return "gave_up_records"
    return "cut_torn_tail" if report.recovery.torn is not None else "nothing_was_broken"
