"""Latency at a fixed rate, far below what the server can do: what a client sees on most days."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from statistics import median
from typing import NamedTuple

import trio
from loadtest.plan import Plan
from loadtest.report import latency_plot
from loadtest.samples import SHARES, Samples, percentile, percentile_name
from loadtest.workers import run_plan

from measurements.bench import Bench
from measurements.exchange import exchange
from measurements.processes import Meter
from measurements.references import reference
from measurements.results import Plot, Result, Table, Target
from measurements.tools import require

NAME = "fixed_rate"
TITLE = "Latency at 2,000 orders a second"

RATE_PER_S = 2_000
WARM_UP_S = 2.0
CONNECTIONS = 128
REFERENCE_SHARE = 1 / 3
TARGETS_MS = {"p50": 2.0, "p99": 10.0, "p99.9": 50.0}

OURS = "POST /orders, durable"
EXPRESS = "Express 4, a handler that does nothing"

METHOD = f"""\
`load-test/run.py`: open loop, one order every {1000 / RATE_PER_S:g} ms on {CONNECTIONS}
connections, each with an idempotency key. Latency counts from the time an order was due, so what
a pause of the server, or of the generator, held up is in it. Between the runs the same load goes
to an Express handler that does nothing: its row shows how much of the latency is the machine,
the kernel and the generator."""


class Run(NamedTuple):
    """What came of one run; latencies in milliseconds, by the percentile's name."""

    latency_ms: dict[str, float]
    failures: int
    turned_away: int
    others_cores: float
    samples: Samples
    plan: Plan

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {ms:.2f}" for name, ms in self.latency_ms.items())
        return f"{figures} ms; {self.failures + self.turned_away} failed"


async def measure(bench: Bench) -> Result:
    require("node", "npm")
    seconds = bench.effort.fixed_rate_seconds
    with bench.home("fixed-rate") as home:
        async with AsyncExitStack() as stack:
            express = await stack.enter_async_context(reference("express"))
            server = await stack.enter_async_context(exchange(home))
            port = int(express.url.rpartition(":")[2])
            contenders: dict[str, Callable[[], Awaitable[Run]]] = {
                OURS: partial(one_run, server.port, server.pid, seconds),
                EXPRESS: partial(one_run, port, express.pid, seconds * REFERENCE_SHARE),
            }
            return _result(await bench.interleaved(contenders))


async def one_run(port: int, pid: int, seconds: float) -> Run:
    """Load the server at `port` for so long."""
    plan = Plan(
        host="127.0.0.1",
        port=port,
        rate_per_s=RATE_PER_S,
        seconds=seconds,
        warm_up_s=WARM_UP_S,
        connections=CONNECTIONS,
    )
    with Meter(pid) as meter:
        samples = await trio.to_thread.run_sync(run_plan, plan)
    settled = samples.settled_ns()
    latency_ms = {percentile_name(share): percentile(settled, share) / 1e6 for share in SHARES}
    statuses = samples.statuses()
    return Run(
        {**latency_ms, "max": percentile(settled, 1) / 1e6},
        samples.failures(),
        statuses[429] + statuses[503],
        meter.others_s / meter.wall_s,
        samples,
        plan,
    )


def _result(runs: dict[str, list[Run]]) -> Result:
    ours = runs[OURS]
    medians = {name: median(run.latency_ms[name] for run in ours) for name in ours[0].latency_ms}
    failed = sum(run.failures + run.turned_away for run in ours)
    middle = sorted(ours, key=lambda run: run.latency_ms["p99"])[len(ours) // 2]
    target = Target(
        what=f"`POST /orders` at a fixed {RATE_PER_S:,}/s for {middle.plan.seconds:g} s",
        target=", ".join(f"{n} ≤ {ms:.0f} ms" for n, ms in TARGETS_MS.items()) + ", none failed",
        measured=", ".join(f"{name} {medians[name]:.2f} ms" for name in TARGETS_MS)
        + f", {failed:,} failed",
        holds=not failed and all(medians[name] <= ms for name, ms in TARGETS_MS.items()),
    )
    names = tuple(medians)
    rows = [
        (who, *(f"{median(run.latency_ms[name] for run in of):.2f}" for name in names))
        for who, of in runs.items()
    ]
    worst = (f"{OURS}, worst run", *(f"{max(r.latency_ms[n] for r in ours):.2f}" for n in names))
    return Result(
        name=NAME,
        title=TITLE,
        targets=[target],
        method=METHOD,
        tables=[Table(("milliseconds", *names), [rows[0], worst, *rows[1:]])],
        plots=[
            Plot(
                f"{NAME}.svg",
                "Latency over time, of the run whose p99 is the median",
                latency_plot(middle.plan, middle.samples),
            )
        ],
        others_cores=median(run.others_cores for of in runs.values() for run in of),
    )
