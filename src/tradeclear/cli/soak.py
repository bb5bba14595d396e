"""`tradeclear soak`: a steady load and a kill each minute; is anything lost, does anything grow?"""

import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from tradeclear.cli.progress import progress
from tradeclear.cli.tables import Cell, show_facts, show_json, show_line, show_table
from tradeclear.cli.wal_directory import say
from tradeclear.supervisor.exit_codes import ExitCode

if TYPE_CHECKING:
    from tradeclear.testing.soak_report import Growth, SoakReport, Stretch

PLOT_SUFFIX: Final = ".svg"
FINDINGS_SHOWN_MAX: Final = 20
COLUMNS: Final = (
    *("stretch", "acknowledged", "p50_ms", "p99_ms", "max_ms"),
    *("resident_mib", "descriptors", "threads", "log_mib", "killed", "ready_s"),
)


def _with_room_for_a_plot(report: Path | None) -> Path | None:
    if report is not None and report.suffix == PLOT_SUFFIX:
        raise typer.BadParameter(f"the report is JSON, and the plot is {report}")
    return report


def soak(
    minutes: Annotated[float, typer.Option(min=0.01, help="How long it is loaded.")] = 15,
    rate: Annotated[
        float, typer.Option(min=1, max=100_000, help="Requests of traders a second, reads aside.")
    ] = 200,
    kill_every_s: Annotated[
        float, typer.Option(min=0, help="Seconds of load between kills; 0: none, one long life.")
    ] = 60,
    seed: Annotated[int, typer.Option(help="Decides the commands.")] = 1,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the report here as JSON, too, and beside it a plot as SVG.",
            callback=_with_room_for_a_plot,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Load a server for a long time, kill it each minute, and hold it to what it acknowledged.

    Traders over HTTP and WebSocket, readers and a follower of the streams; small tables, so that
    they fill. Exits with 1 if anything was lost or doubled, or if memory, descriptors, threads or
    the log still grow when all tables are full. Needs Linux.

    Example: tradeclear soak --minutes 30 --rate 200 --report soak.json
    """
    # Imported here: the other commands need not wait for all of the exchange to load.
    import trio

    from tradeclear.testing.soak import run
    from tradeclear.testing.soak_plan import Plan
    from tradeclear.testing.soak_plot import plot

    plan = Plan(minutes=minutes, rate_per_s=rate, kill_every_s=kill_every_s, seed=seed)
    home = Path(tempfile.mkdtemp(prefix="tradeclear-soak-"))
    with progress("soaking") as show:
        found = trio.run(partial(run, plan, home, progress=show))
    if report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
        report.with_suffix(PLOT_SUFFIX).write_text(plot(found), encoding="utf-8")
    if json:
        show_json(found)
    else:
        _show(found)
    if not found.good:
        _tell(found, home)
        raise typer.Exit(ExitCode.ERROR)


def _show(found: "SoakReport") -> None:
    show_table(COLUMNS, map(_row, found.stretches))
    show_line()
    if found.growths:
        show_table(("quantity", "early", "late", "growth", "limit"), map(_growth, found.growths))
    else:
        show_line("too short to say what grows")
    show_line()
    show_facts(_facts(found))


def _row(stretch: "Stretch") -> Iterable[Cell]:
    values = (getattr(stretch, name) for name in COLUMNS[1:])
    return stretch.number, *(str(each) if isinstance(each, float) else each for each in values)


def _growth(growth: "Growth") -> Iterable[Cell]:
    early, late = f"{growth.early:g}", f"{growth.late:g}"
    return growth.name, early, late, f"{growth.growth:+.1%}", f"{growth.growth_max:+.0%}"


def _facts(found: "SoakReport") -> Iterable[tuple[str, Cell]]:
    crashes = found.crashes
    yield "kills", crashes.kills
    yield "acknowledged", crashes.acknowledged
    yield "retried", crashes.retried
    yield "repeated", crashes.repeated
    yield "orders_compared", crashes.orders_compared
    yield "stream_trades", found.stream_trades
    yield "stream_connections", found.stream_connections
    yield "logs_verified", crashes.logs_verified
    for kind in ("lost", "doubled", "differing"):
        yield kind, crashes.count(kind)
    yield "flat", all(growth.flat for growth in found.growths) if found.growths else None
    yield "seconds", f"{crashes.seconds:.1f}"
    yield "seed", found.plan.seed


def _tell(found: "SoakReport", home: Path) -> None:
    for growth in found.growths:
        if not growth.flat:
            say(f"{growth.name} grew from {growth.early:g} to {growth.late:g}")
    for finding in found.crashes.findings[:FINDINGS_SHOWN_MAX]:
        say(f"{finding.kind}: {finding.text}")
    say(f"the log is kept in {home}")
