"""Many seeds, on one core or several, and what came of them."""

import gc
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from time import perf_counter
from typing import Final

import structlog
from msgspec import Struct

from tradeclear.testing.simulation.run import Run, run_seed

CHUNK_SEEDS: Final = 50
"""So many are run between two looks at how far it has come."""

FAILURES_MAX: Final = 5
"""So many failing seeds end the search."""


class Report(Struct, frozen=True, kw_only=True):
    """What came of a row of seeds. `counts` are over all of them; `failures` carry their trace."""

    seeds: int
    seed_from: int
    steps: int
    seconds: float
    seeds_per_s: float
    counts: dict[str, int]
    failures: list[Run]


def run_seeds(
    seeds: range, steps: int, *, jobs: int = 1, progress: Callable[[int, int], None]
) -> Report:
    """Run all `seeds` with so many commands each, or up to `FAILURES_MAX` that fail.

    `progress` is told of seeds done and in all.
    """
    started = perf_counter()
    counts: Counter[str] = Counter()
    failures: list[Run] = []
    done = 0
    for chunk_counts, failed, size in _chunks(seeds, steps, jobs):
        done += size
        counts.update(chunk_counts)
        failures += failed
        progress(done, len(seeds))
        if len(failures) >= FAILURES_MAX:
            break
    seconds = perf_counter() - started
    return Report(
        seeds=done,
        seed_from=seeds.start,
        steps=steps,
        seconds=round(seconds, 3),
        seeds_per_s=round(done / seconds, 1),
        counts=dict(sorted(counts.items())),
        failures=sorted(failures, key=lambda run: run.seed)[:FAILURES_MAX],
    )


Chunk = tuple[dict[str, int], list[Run], int]


def _chunks(seeds: range, steps: int, jobs: int) -> Iterator[Chunk]:
    """The chunks in their order, whoever runs them."""
    parts = [seeds[at : at + CHUNK_SEEDS] for at in range(0, len(seeds), CHUNK_SEEDS)]
    if jobs == 1:
        yield from (run_chunk(part, steps) for part in parts)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(partial(run_chunk, steps=steps), parts)
        finally:
            pool.shutdown(cancel_futures=True)


def run_chunk(seeds: range, steps: int) -> Chunk:
    """Run some seeds in this process."""
    counts: Counter[str] = Counter()
    failures = []
    with _undisturbed(), _in_turn():
        for seed in seeds:
            run = run_seed(seed, steps, digest=False)
            gc.collect()
            counts.update(run.counts)
            if run.problem is not None:
                failures.append(run)
    return dict(counts), failures, len(seeds)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No log lines, and the collector only in between: it looks at what a seed has made alone."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=False,
    )
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()
        structlog.configure(**before)


@contextmanager
def _in_turn() -> Iterator[None]:
    """Scheduled as a batch, where that can be had.

    A thread that is woken then waits until the one that woke it halts, and does not push it aside
    only to find that it holds the interpreter: half the switches between simulated threads.
    """
    batch = _begin_batch()
    try:
        yield
    finally:
        if batch:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _begin_batch() -> bool:
    """Whether it is a batch from now on. It is not where a C library or a sandbox refuses."""
    if sys.platform != "linux":
        return False
    try:
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            return False
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except OSError:
        return False
    return True
