"""Plants bugs, one at a time, into a copy of src/, and shows which detector catches each.

    make planted            all of them
    make planted ARGS="'lock forgotten' 'no sync of a commit'"

`bugs.toml` says what is planted. A detector that fails on the unchanged copy catches nothing, so
each is run there too. Caught means that the detector ran and failed, or did not come to an end.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

CHECKOUT: Final = Path(__file__).resolve().parents[2]
BUGS: Final = Path(__file__).with_name("bugs.toml")
DETECTOR_S_MAX: Final = 300.0
FAILED: Final = 1
"""Exit code of every detector that found something; others say that it could not even run."""
PROGRAMS: Final = {
    "pytest": ("pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider"),
    "differential": ("tradeclear.testing.differential",),
    "damage": ("tradeclear.testing.damage",),
    "simulate": ("tradeclear", "simulate"),
}


class Bug(Struct, frozen=True, forbid_unknown_fields=True):
    """One planted bug; `bugs.toml` explains the fields."""

    name: str
    why: str
    file: str
    find: str
    plant: str
    detector: str


class Catch(Struct, frozen=True):
    """What a detector said. `told` is the end of its output."""

    name: str
    detector: str
    verdict: str
    seconds: float
    told: str


def bugs() -> list[Bug]:
    """All bugs of `bugs.toml`."""
    return msgspec.convert(tomllib.loads(BUGS.read_text())["bug"], list[Bug])


def places(bug: Bug, source: Path = CHECKOUT / "src") -> int:
    """How often the text of a bug stands in its file: 1, or the bug must be written anew."""
    return (source / "tradeclear" / bug.file).read_text().count(bug.find)


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of src/ that goes when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="tradeclear-planted-"))
    try:
        yield Path(shutil.copytree(CHECKOUT / "src", folder / "src"))
    finally:
        shutil.rmtree(folder)


def plant(bug: Bug, source: Path) -> None:
    """Change the copy. Raises `ValueError` where the text does not stand exactly once."""
    if places(bug, source) != 1:
        raise ValueError(f"{bug.name}: its text stands {places(bug, source)} times in {bug.file}")
    path = source / "tradeclear" / bug.file
    changed = path.read_text().replace(bug.find, bug.plant)
    compile(changed, bug.file, "exec")  # a text that is no Python would be caught by anything
    path.write_text(changed)


def detect(detector: str, source: Path) -> tuple[int | None, str]:
    """Run a detector on a copy: its exit code, None if it hangs, and the end of what it said."""
    program, *arguments = shlex.split(detector)
    command = [sys.executable, "-m", *PROGRAMS[program], *arguments]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(DETECTOR_S_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            code = None
        said.seek(0)
        return code, said.read().decode(errors="replace")[-2000:]


def catch(bug: Bug) -> Catch:
    """Plant one bug and run its detector."""
    begun = perf_counter()
    with copied() as source:
        plant(bug, source)
        code, told = detect(bug.detector, source)
    verdicts = {FAILED: "caught", None: "caught, hangs", 0: "not caught"}
    verdict = verdicts.get(code, f"broken, exit {code}")
    return Catch(bug.name, bug.detector, verdict, perf_counter() - begun, told)


def control(detector: str) -> Catch:
    """Run a detector on a copy in which nothing is planted: it must pass, and read the copy."""
    begun = perf_counter()
    with copied() as source:
        code, told = detect(detector, source)
        verdict = "passes" if code == 0 else f"fails unplanted, exit {code}"
    return Catch("(nothing planted)", detector, verdict, perf_counter() - begun, told)


def catch_all(chosen: Iterable[Bug], *, jobs: int, bar: Progress | None = None) -> list[Catch]:
    """Every bug, and every detector unplanted."""
    chosen = list(chosen)
    detectors = sorted({bug.detector for bug in chosen})
    task = None
    if bar is not None:
        task = bar.add_task("planted bugs", total=len(chosen) + len(detectors))
    catches = []
    with ThreadPoolExecutor(jobs) as pool:
        runs = [pool.submit(catch, bug) for bug in chosen]
        runs += [pool.submit(control, detector) for detector in detectors]
        for each in as_completed(runs):
            catches.append(each.result())
            if bar is not None and task is not None:
                bar.advance(task)
    return catches


def good(caught: Catch) -> bool:
    """Whether it is as it must be."""
    return caught.verdict in ("caught", "caught, hangs", "passes")


def show(catches: list[Catch], console: Console) -> None:
    """Print the table, and what was said where something is not as it must be."""
    table = Table("planted", "detector", "verdict", "s", box=None)
    for each in catches:
        table.add_row(each.name, each.detector, each.verdict, f"{each.seconds:.1f}")
    console.print(table)
    for each in catches:
        if not good(each):
            console.print(f"{each.name}, {each.detector}: {each.verdict}", each.told, markup=False)
    planted = [each for each in catches if not each.verdict.startswith(("passes", "fails"))]
    console.print(f"{sum(map(good, planted))} of {len(planted)} planted bugs caught")


def main() -> int:
    """The command line: exit 1 if a bug is not caught, or a detector fails without one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only these bugs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    known = {bug.name: bug for bug in bugs()}
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"no bug is named {', '.join(sorted(unknown))}; see {BUGS.name}")
    chosen = [bug for name, bug in known.items() if not options.names or name in options.names]
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        catches = catch_all(chosen, jobs=options.jobs, bar=bar)
    show(catches, Console(highlight=False, width=120))
    return 0 if all(map(good, catches)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
