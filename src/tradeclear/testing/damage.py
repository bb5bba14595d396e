"""Every way in which a log's bytes can be wrong, given to `verify` and to the server's own start.

    python -m tradeclear.testing.damage --seed 1 --jobs 2

Logs of 64 KiB, in several segments and with snapshots, are cut at every offset, have every bit
turned over, are zeroed, scribbled over, swapped, copied, emptied and restored in parts. Each damage
must come to what an oracle says that knows the damage: a torn tail is cut and kept, a damaged
snapshot is passed over and told of, and everything else is refused with file, offset and remedy, in
the same words by `wal verify` and by the start, and without a changed byte.

`--stride 50` tries each 50th case, and all of those that are few or at the log's end.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from time import perf_counter
from typing import Final

from msgspec import Struct, to_builtins
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from tradeclear.testing.damage_cases import Class, classes
from tradeclear.testing.damage_trial import wrong

CHUNK_CASES: Final = 512
FINDINGS_MAX: Final = 20
COLUMNS: Final = 110
OUTCOMES: Final = ("whole", "shorter", "repaired", "refused", "passed over", "not read")


class Tally(Struct, kw_only=True):
    """What came of the cases of one kind of damage on one specimen."""

    kind: str
    specimen: str
    cases: int = 0
    outcomes: dict[str, int] = {}
    wrong: int = 0
    findings: list[str] = []


class Report(Struct, kw_only=True):
    """What came of all. `wrong` is the number that must be 0."""

    seed: int
    stride: int
    cases: int
    wrong: int
    seconds: float
    tallies: list[Tally]


class Chunk(Struct, frozen=True):
    """Some cases of one class, by number."""

    place: int
    numbers: range


def chunks_of(matrix: list[Class], kinds: Collection[str] = ()) -> Iterator[Chunk]:
    """The matrix in pieces: whole, or these kinds of damage only."""
    for place, each in enumerate(matrix):
        if kinds and each.kind not in kinds:
            continue
        for start in range(0, each.size, CHUNK_CASES):
            yield Chunk(place, range(start, min(start + CHUNK_CASES, each.size)))


def run_chunk(seed: int, stride: int, chunk: Chunk) -> Tally:
    """Try the cases of a chunk that the stride leaves in."""
    each = _classes(seed)[chunk.place]
    tally = Tally(kind=each.kind, specimen=each.specimen.name)
    outcomes: Counter[str] = Counter()
    for number in chunk.numbers:
        if (number + seed) % stride and not each.crucial(number):
            continue
        case = each.case(number)
        problem = wrong(case, each.specimen)
        tally.cases += 1
        outcomes[case.expected.outcome] += 1
        if problem is not None:
            tally.wrong += 1
            tally.findings.append(problem)
    tally.findings = tally.findings[:FINDINGS_MAX]
    tally.outcomes = dict(outcomes)
    return tally


@lru_cache(1)
def _classes(seed: int) -> list[Class]:
    return classes(seed)


def joined(tallies: list[Tally]) -> list[Tally]:
    """One tally a kind and specimen, in the order of their first ones."""
    by_name: dict[tuple[str, str], Tally] = {}
    for tally in tallies:
        total = by_name.setdefault(
            (tally.kind, tally.specimen), Tally(kind=tally.kind, specimen=tally.specimen)
        )
        total.cases += tally.cases
        total.wrong += tally.wrong
        total.outcomes = dict(Counter(total.outcomes) + Counter(tally.outcomes))
        total.findings = (total.findings + tally.findings)[:FINDINGS_MAX]
    return list(by_name.values())


def run(
    seed: int,
    *,
    stride: int = 1,
    jobs: int = 1,
    kinds: Collection[str] = (),
    bar: Progress | None = None,
) -> Report:
    """Try the matrix of `seed` in so many processes; with `stride` or `kinds`, a part of it."""
    begun = perf_counter()
    chunks = list(chunks_of(_classes(seed), kinds))
    total = sum(len(chunk.numbers) for chunk in chunks)
    task = None if bar is None else bar.add_task(f"damage, seed {seed}", total=total)
    work = partial(run_chunk, seed, stride)
    tallies = []
    with ProcessPoolExecutor(jobs) as pool:
        done = map(work, chunks) if jobs == 1 else pool.map(work, chunks)
        for chunk, tally in zip(chunks, done, strict=True):
            tallies.append(tally)
            if bar is not None and task is not None:
                bar.update(task, advance=len(chunk.numbers))
    return Report(
        seed=seed,
        stride=stride,
        cases=sum(tally.cases for tally in tallies),
        wrong=sum(tally.wrong for tally in tallies),
        seconds=round(perf_counter() - begun, 1),
        tallies=joined(tallies),
    )


def show(report: Report, console: Console) -> None:
    """Print what came of it."""
    table = Table("damage", "log", "cases", *OUTCOMES, "wrong", box=None)
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[2:]:
        column.justify = "right"
    for tally in report.tallies:
        counts = (tally.cases, *(tally.outcomes.get(name, 0) for name in OUTCOMES), tally.wrong)
        table.add_row(tally.kind, tally.specimen, *(f"{count:,}" for count in counts))
    console.print(table)
    for finding in [text for tally in report.tallies for text in tally.findings][:FINDINGS_MAX]:
        console.print(finding, markup=False)
    console.print(
        f"{report.cases:,} damages, {report.wrong:,} not as they must be; "
        f"{report.seconds:,.0f} s, seed {report.seed}, stride {report.stride}"
    )


def main() -> int:
    """The command line: exit 1 if anything did not come out as it must."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    kinds = sorted({each.kind for each in _classes(1)})
    parser.add_argument("--kind", action="append", choices=kinds, default=[], help="only these")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    if options.stride < 1 or options.jobs < 1:
        parser.error("--stride and --jobs are at least 1")
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        report = run(
            options.seed, stride=options.stride, jobs=options.jobs, kinds=options.kind, bar=bar
        )
    if options.json:
        sys.stdout.write(json.dumps(to_builtins(report), indent=2) + "\n")
    else:
        show(report, Console(highlight=False, width=COLUMNS))
    return 1 if report.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
