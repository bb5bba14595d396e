"""Runs a plan in as many processes as it names, and puts together what came of it."""

import json
import os
import secrets
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import IO

from loadtest.plan import Plan
from loadtest.samples import NS_PER_S, Samples
from loadtest.worker import Part, read_samples

ROOT = Path(__file__).resolve().parent.parent
LEAD_NS = 50_000_000
"""So long before the first order is due is everyone told when that is."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Numbers of orders, warm-up included."""

    elapsed_s: float
    sent: int
    answered: int
    turned_away: int


class WorkerFailed(Exception):
    """A process of the load ended before it was done; what it said is on standard error."""


def run_plan(
    plan: Plan,
    progress: Callable[[Progress], None] = lambda _: None,
    started: Callable[[int], None] = lambda _: None,
) -> Samples:
    """Make the load and wait for it. Returns every order that was due after the warm-up.

    `started` is told the time (of `perf_counter_ns`) from which the returned times count. Raises
    `WorkerFailed`. Blocking: in a program with an event loop, call it in a thread.
    """
    key_prefix = secrets.token_hex(4)
    with tempfile.TemporaryDirectory(prefix="tradeclear-load-") as folder, ExitStack() as stack:
        parts = [
            Part(plan, number, key_prefix, Path(folder) / f"samples-{number}")
            for number in range(plan.processes)
        ]
        workers = [stack.enter_context(_start(part)) for part in parts]
        stack.callback(_kill, workers)
        for worker in workers:
            if _output(worker).readline() != "ready\n":
                raise WorkerFailed("it could not connect")
        start_ns = perf_counter_ns() + LEAD_NS
        for worker in workers:
            _tell(worker, str(start_ns))
        started(start_ns + round(plan.warm_up_s * NS_PER_S))
        _follow(workers, start_ns, progress)
        return _collect(plan, parts)


def _start(part: Part) -> "subprocess.Popen[str]":
    worker = subprocess.Popen(
        [sys.executable, "-m", "loadtest.worker"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    _tell(worker, part.to_json())
    return worker


def _tell(worker: "subprocess.Popen[str]", line: str) -> None:
    assert worker.stdin is not None
    worker.stdin.write(line + "\n")
    worker.stdin.flush()


def _output(worker: "subprocess.Popen[str]") -> IO[str]:
    assert worker.stdout is not None
    return worker.stdout


def _kill(workers: "list[subprocess.Popen[str]]") -> None:
    for worker in workers:
        worker.kill()


def _follow(
    workers: "list[subprocess.Popen[str]]", start_ns: int, progress: Callable[[Progress], None]
) -> None:
    """Wait until every worker is done, passing on how far they are."""
    counts = dict.fromkeys(workers, (0, 0, 0))
    running = {_output(worker): worker for worker in workers}
    while running:
        for stream in select.select(list(running), [], [])[0]:
            line = stream.readline()
            if line == "done\n":
                del running[stream]
            elif not line:
                raise WorkerFailed("it ended too early")
            else:
                counts[running[stream]] = tuple(json.loads(line))
        sums = [sum(column) for column in zip(*counts.values(), strict=True)]
        progress(Progress((perf_counter_ns() - start_ns) / NS_PER_S, *sums))


def _collect(plan: Plan, parts: list[Part]) -> Samples:
    """All samples but the warm-up's, their times counted from its end."""
    together = Samples()
    for part in parts:
        with part.samples_file.open("rb") as file:
            together.extend(read_samples(file))
    if not plan.warm_up_s:
        return together
    return together.after(round(plan.warm_up_s * NS_PER_S))
