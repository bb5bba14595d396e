"""`tradeclear simulate`: thousands of seeded lives of the exchange, and what they found."""

from typing import Annotated, Final

import typer

from tradeclear.cli.progress import progress
from tradeclear.cli.tables import show_facts, show_json
from tradeclear.supervisor.exit_codes import ExitCode

TRACE_LINES: Final = 60


def simulate(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to run.")] = 1_000,
    seed_from: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    steps: Annotated[
        int, typer.Option(min=1, max=100_000, help="Commands of all clients of one seed.")
    ] = 20,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes to run them in.")] = 1,
    trace: Annotated[
        bool, typer.Option("--trace", help="Print a failing seed's steps, not only the last ones.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Simulate the exchange: the real pipeline on a simulated disk, clock and crowd.

    Each seed crashes it and cuts its power at any step, fails its disk, restarts it, and holds it
    to every rule that must always hold. The same seed does the same again, to the last byte. Exits
    with 1 if a seed fails, with its trace and the command that repeats it.

    Example: tradeclear simulate --seeds 100000 --jobs 2
    """
    # Imported here: the other commands need not wait for it to load.
    from tradeclear.testing.simulation.seeds import run_seeds

    with progress("simulating") as show:
        report = run_seeds(range(seed_from, seed_from + seeds), steps, jobs=jobs, progress=show)
    for run in report.failures:
        for line in run.trace if trace else run.trace[-TRACE_LINES:]:
            typer.echo(line, err=True)
        typer.echo(
            f"seed {run.seed}: {run.problem}\n"
            f"again: tradeclear simulate --seeds 1 --seed-from {run.seed} --steps {steps} --trace",
            err=True,
        )
    if json:
        show_json(report)
    else:
        plain = ("seeds", "seed_from", "steps", "seconds", "seeds_per_s")
        facts = [(name, str(getattr(report, name))) for name in plain]
        facts += [(name.replace(" ", "_"), str(count)) for name, count in report.counts.items()]
        show_facts([*facts, ("failures", str(len(report.failures)))])
    if report.failures:
        raise typer.Exit(ExitCode.ERROR)
