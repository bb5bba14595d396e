"""The public matching benchmark through the core, each file in turn, round after round."""

import os
import re
import sys
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import trio

from measurements import CHECKOUT
from measurements.bench import Bench
from measurements.processes import Meter
from measurements.results import Result, Table, Target
from measurements.wrk import LoadRefused

NAME = "matching"
TITLE = "The public matching benchmark"

MESSAGES_PER_S_MIN = 800_000
SCRIPT = "bench/matching_benchmark.py"

METHOD = """\
`python bench/matching_benchmark.py --apply FILE…`, a process a run. *Book*: the messages of the
public benchmark (arXiv 2606.01183) through the order book, every report made; the reports'
SHA-256 is the published one. *Engine*: the same flow as commands through the whole
`Engine.apply`, with ids, clients, statuses, events."""


class Run(NamedTuple):
    """Messages a second through the book, commands a second through the engine."""

    book_per_s: float
    engine_per_s: float
    sha256: str

    def __str__(self) -> str:
        return f"{self.book_per_s:,.0f} messages/s, {self.engine_per_s:,.0f} commands/s"


async def measure(bench: Bench) -> Result:
    folder = Path(os.environ.get("TRADECLEAR_DATA", CHECKOUT.parent / "shared" / "data"))
    files = sorted((folder / "matching-benchmark").glob("*.bin.xz"))
    if not files:
        raise LoadRefused("recorded data absent: set TRADECLEAR_DATA")
    known = (folder / "matching-benchmark" / "report_sha256.txt").read_text(encoding="utf-8")
    with Meter() as meter:
        runs = await bench.interleaved({file.name: partial(one_run, file) for file in files})
    wrong = [name for name, of in runs.items() if any(run.sha256 not in known for run in of)]
    if wrong:
        raise LoadRefused(f"reports differ from the published ones: {', '.join(wrong)}")
    return _result(runs, meter.others_s / meter.wall_s)


async def one_run(file: Path) -> Run:
    command = [sys.executable, SCRIPT, "--apply", str(file)]
    run = await trio.run_process(command, cwd=CHECKOUT, capture_stdout=True)
    said = run.stdout.decode()
    return Run(
        _number(r"messages/s ([\d,]+)", said),
        _number(r"Engine\.apply: .* ([\d,]+) /s", said),
        re.findall(r"sha256 +(\w+)", said)[0],
    )


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1].replace(",", ""))


def _result(runs: dict[str, list[Run]], others_cores: float) -> Result:
    worst = min(median(run.book_per_s for run in of) for of in runs.values())
    rows = [
        (
            name.partition(".")[0],
            f"{median(run.book_per_s for run in of):,.0f}",
            f"{min(run.book_per_s for run in of):,.0f}",
            f"{median(run.engine_per_s for run in of):,.0f}",
        )
        for name, of in runs.items()
    ]
    return Result(
        name=NAME,
        title=TITLE,
        targets=[
            Target(
                what="Public matching benchmark through the core, all reports made, worst file",
                target=f"≥ {MESSAGES_PER_S_MIN:,} messages/s",
                measured=f"{worst:,.0f} messages/s",
                holds=worst >= MESSAGES_PER_S_MIN,
            )
        ],
        method=METHOD,
        tables=[Table(("file", "book, messages/s", "worst run", "engine, commands/s"), rows)],
        others_cores=others_cores,
    )
