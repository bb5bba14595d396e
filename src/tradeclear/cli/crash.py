"""`tradeclear crash`: kill a server again and again, and hold it to all that it acknowledged."""

import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from tradeclear.cli.progress import progress
from tradeclear.cli.tables import Cell, show_facts, show_json
from tradeclear.cli.wal_directory import say, stop
from tradeclear.supervisor.exit_codes import ExitCode

if TYPE_CHECKING:
    from tradeclear.testing.crash_jobs import Job
    from tradeclear.testing.crash_report import Report

FINDINGS_SHOWN_MAX: Final = 20
LOGS: Final = 8
STAGES: Final = 4
Show = Callable[[int, int], None]


def crash(
    points: Annotated[
        str,
        typer.Option(help="all, a number of them, `random` moments, or `errors` instead of kills."),
    ] = "all",
    seed: Annotated[int, typer.Option(help="Decides the commands, and which points.")] = 1,
    kills: Annotated[
        int, typer.Option(min=1, help="With --points random: how many, under load.")
    ] = 200,
    logs: Annotated[
        int, typer.Option(min=1, max=1000, help="Logs, each with a load of its own.")
    ] = LOGS,
    stages: Annotated[
        int, typer.Option(min=1, max=100, help="Lives of the server in a log, a snapshot each.")
    ] = STAGES,
    recovery_every: Annotated[
        int, typer.Option(min=0, help="At every n-th point, kill all of its recovery too; 0: none.")
    ] = 20,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Servers at a time.")] = 2,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report here as JSON, too.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Kill a real server at every call that changes its log, restart it, compare with a ledger.

    Before and in the middle of each write, sync, create, rename, unlink and truncate, over
    rotations, snapshots, their removal and recovery; `errors` lets the same calls fail instead.
    Exits with 1 if anything is wrong or a stop takes over 1 s, and keeps the logs. Needs Linux and
    a C compiler, but for `random`.

    Example: tradeclear crash --points all --seed 7 --report crash.json
    """
    folder = Path(tempfile.mkdtemp(prefix="tradeclear-crash-"))
    if points == "random":
        found = _random(kills, seed, folder)
    else:
        found = _sweep(_jobs(points, seed, logs, stages, recovery_every, folder), jobs)
    if report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    if json:
        show_json(found)
    else:
        show_facts([*_facts(found), ("seed", seed)])
    if found.good:
        shutil.rmtree(folder)
        return
    if not found.findings:
        say(f"the slowest stop took {found.stop_s_max:.3f} s; at most 1 s is allowed")
    for finding in found.findings[:FINDINGS_SHOWN_MAX]:
        say(f"{finding.kind}: {finding.text}")
    say(f"the logs are kept in {folder}")
    raise typer.Exit(ExitCode.ERROR)


def _jobs(
    points: str, seed: int, logs: int, stages: int, recovery_every: int, folder: Path
) -> "list[Job]":
    """A job a log; a sample is taken from every log alike."""
    from tradeclear.testing.crash_jobs import Job

    if points not in ("all", "errors") and not points.isdecimal():
        stop(f"--points: {points!r} is none of all, a number, random, errors", ExitCode.USAGE)
    wanted = int(points) if points.isdecimal() else None
    if wanted is not None:
        logs = max(1, min(logs, wanted))
    return [
        Job(
            sweep="errors" if points == "errors" else "kills",
            log=log,
            seed=seed,
            stages=stages,
            folder=str(folder),
            count=None if wanted is None else wanted // logs + (log < wanted % logs),
            recovery_every=recovery_every,
        )
        for log in range(logs)
    ]


def _sweep(jobs: "list[Job]", parallel: int) -> "Report":
    import trio

    from tradeclear.testing.crash_jobs import SweepFailed, run
    from tradeclear.testing.shim_library import ShimUnavailable

    try:
        with progress("crashing") as show:
            return trio.run(partial(run, jobs, parallel, partial(_show_sweep, show, len(jobs))))
    except* (ShimUnavailable, SweepFailed) as group:
        problem = str(group.exceptions[0])
    return stop(problem, ExitCode.UNAVAILABLE)


def _show_sweep(show: Show, logs: int, report: "Report") -> None:
    """Logs that have not begun count like those that have."""
    if report.logs:
        done = report.kills + report.faults + report.missed
        show(done, report.planned * logs // report.logs)


def _random(kills: int, seed: int, folder: Path) -> "Report":
    import trio

    from tradeclear.testing.crash import run

    with progress("crashing") as show:
        return trio.run(
            partial(run, kills, seed, folder, progress=lambda report: show(report.kills, kills))
        )


def _facts(report: "Report") -> Iterable[tuple[str, Cell]]:
    """What was done, what stands behind it, and what was found; what was not done stays out."""
    done: dict[str, Cell] = {
        "logs": report.logs,
        "points_planned": report.planned,
        "kills": report.kills,
        "points": ",".join(f"{name.replace(' ', '_')}:{n}" for name, n in report.points.items()),
        "recovery_kills": report.recovery_kills,
        "orderly_stops": report.stops,
        "faults": report.faults,
        "fatal_faults": report.fatal_faults,
        "stop_s_max": f"{report.stop_s_max:.3f}" if report.fatal_faults else "",
        "missed": report.missed,
        "rotations": report.rotations,
        "snapshots": report.snapshots,
        "retried": report.retried,
        "repeated": report.repeated,
        "orders_compared": report.orders_compared,
        "trades_compared": report.trades,
        "hashes_compared": report.hashes_compared,
        "logs_verified": report.logs_verified,
    }
    yield from ((name, value) for name, value in done.items() if value)
    yield "acknowledged", report.acknowledged
    if report.fatal_faults:
        yield "acknowledged_after_fault", report.acknowledged_after_fault
    for kind in ("lost", "doubled", "differing"):
        yield kind, report.count(kind)
    tries = report.kills + report.recovery_kills + report.faults
    yield "seconds", f"{report.seconds:.1f} ({report.seconds / max(1, tries):.2f} a try)"
