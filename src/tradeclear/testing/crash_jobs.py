"""A sweep over several logs at once, each in a process of its own.

    python -m tradeclear.testing.crash_jobs PLAN

is such a process: it takes one `Job` as JSON and prints its `Report` so far after every point.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec
import trio
from msgspec import Struct

from tradeclear.model.errors import TradeclearError
from tradeclear.testing.crash_comparison import UnexpectedReply, leaves
from tradeclear.testing.crash_errors import ErrorSweep, faults
from tradeclear.testing.crash_fork import fork_server
from tradeclear.testing.crash_log import CrashLog
from tradeclear.testing.crash_points import PointSweep, points, with_recoveries
from tradeclear.testing.crash_report import Report, total
from tradeclear.testing.ledger import Finding
from tradeclear.testing.server import ConnectionLost, ServerFailed
from tradeclear.testing.shim import SOURCE
from tradeclear.testing.shim_library import library

Sweep: TypeAlias = Literal["kills", "errors"]
TELL_EVERY_S: Final = 0.2
SAID_BYTES_MAX: Final = 4_000
T = TypeVar("T")


class Job(Struct, frozen=True, kw_only=True):
    """One log to sweep: `count` of its points (None: all of them).

    `environment` is added to that of the process that forks the servers: a place to plant bugs.
    """

    sweep: Sweep
    log: int
    seed: int
    stages: int
    folder: str
    count: int | None = None
    recovery_every: int = 0
    environment: dict[str, str] = {}


class SweepFailed(Exception):
    """A job ended without its report; the text is what it said."""


async def run(
    jobs: list[Job], parallel: int, progress: Callable[[Report], None] = lambda report: None
) -> Report:
    """Carry out the jobs, so many at a time. Raises `SweepFailed`, `ShimUnavailable`.

    Cancelled, it ends them. The folders of logs with findings stay.
    """
    library(SOURCE)
    started = time.perf_counter()
    reports: dict[int, Report] = {}
    waiting = list(reversed(jobs))

    def note(job: Job, report: Report) -> None:
        reports[job.log] = report
        progress(total(reports.values()))

    async def work() -> None:
        while waiting:
            job = waiting.pop()
            await _carry_out(job, partial(note, job))

    async with trio.open_nursery() as nursery:
        for _ in range(min(parallel, len(jobs))):
            nursery.start_soon(work)
    whole = total(reports.values())
    whole.seconds = time.perf_counter() - started
    return whole


async def _carry_out(job: Job, note: Callable[[Report], None]) -> None:
    """Run one job in a process of its own."""
    command = [sys.executable, "-m", __name__, msgspec.json.encode(job).decode()]
    process = await trio.lowlevel.open_process(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    said = bytearray()

    async def listen() -> None:
        assert process.stderr is not None
        async for data in process.stderr:
            said.extend(data)
            del said[:-SAID_BYTES_MAX]

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            assert process.stdout is not None
            unfinished = b""
            async for data in process.stdout:
                *lines, unfinished = (unfinished + data).split(b"\n")
                if lines:
                    note(msgspec.json.decode(lines[-1], type=Report))
        if await process.wait():
            raise SweepFailed(f"log {job.log}: {said.decode(errors='replace')}")
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


# The other end


def main() -> None:
    """One job, from the command line."""
    job = msgspec.json.decode(sys.argv[1], type=Job)
    report = Report(logs=1)
    started = told = time.perf_counter()

    def tell(*, now: bool = False) -> None:
        nonlocal told
        if now or time.perf_counter() - told > TELL_EVERY_S:
            told = time.perf_counter()
            report.seconds = told - started
            sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
            sys.stdout.flush()

    folder = Path(job.folder) / f"log-{job.log}"
    folder.mkdir(parents=True)
    trio.run(_sweep, job, folder, report, tell)
    tell(now=True)
    if not report.findings:
        shutil.rmtree(folder)


async def _sweep(job: Job, folder: Path, report: Report, tell: Callable[[], None]) -> None:
    environment = {**job.environment, "LD_PRELOAD": str(library(SOURCE))}
    async with fork_server(folder, environment) as forks:
        log = CrashLog(job.log, job.seed, folder, forks, report)
        draw = Random(f"{job.seed} {job.log}")
        try:
            stages = await log.rehearse(job.stages)
            if report.findings:
                return
            if job.sweep == "kills":
                kills = chosen(points(stages), job.count, draw)
                report.planned = len(kills)
                await PointSweep(log, tell).run(with_recoveries(kills, job.recovery_every))
            else:
                spoilt = chosen(faults(stages), job.count, draw)
                report.planned = len(spoilt)
                await ErrorSweep(log, tell).run(spoilt)
        except* (ServerFailed, ConnectionLost, UnexpectedReply, TradeclearError) as group:
            report.findings += [Finding("lost", repr(each)) for each in leaves(group)]
        finally:
            with trio.CancelScope(shield=True):
                await log.server.kill()


def chosen(everything: list[T], count: int | None, draw: Random) -> list[T]:
    """So many of them, in their order; all of them with None."""
    if count is None or count >= len(everything):
        return everything
    return [everything[place] for place in sorted(draw.sample(range(len(everything)), count))]


if __name__ == "__main__":
    main()
