"""Three times what the exchange can take: does it say no in time, stay small, and come back?"""

import math
from collections.abc import Sequence
from functools import partial
from statistics import median
from time import perf_counter_ns

import trio
from loadtest.plan import Plan
from loadtest.samples import LOST, NOT_SENT, NS_PER_S, Samples, Slice, percentile, slices
from loadtest.workers import run_plan
from msgspec import Struct

from measurements import wrk
from measurements.bench import Bench
from measurements.exchange import exchange
from measurements.processes import Meter, children, resident_bytes
from measurements.results import Plot, Result, Table, Target
from measurements.tools import require
from measurements.wrk import write_bodies
from tradeclear.testing.plots.charts import Panel, Series, line_chart
from tradeclear.testing.server import Server

NAME = "overload"
TITLE = "Overload"

FACTOR = 3.0
RECOVERY_S_MAX = 2.0
ACCEPTED_P99_MS_MAX = 2_000.0
"""A full input channel of 10,000 orders at the slowest that is still bearable."""

GROWTH_MAX = 1.05
"""Memory in the second half of the overload over that in the first: more is not flat."""

CONNECTIONS = 512
PIPELINE = 16
PROCESSES = 2
GIVE_UP_S = 1.0
PROBE_RATE_PER_S = 100.0
PROBE_CONNECTIONS = 8
BEFORE_S, AFTER_S = 5.0, 10.0
SICK_MS_MIN = 10.0
"""Slower than this, and than twice the p99 before the overload, is not recovered."""

METHOD = f"""\
Capacity is what wrk reaches in a closed loop with {wrk.CONNECTIONS} connections. Then the
open-loop generator offers {FACTOR:g} times that on {CONNECTIONS} connections, up to {PIPELINE}
requests behind each other on one when none is idle; what could not be sent within {GIVE_UP_S:g}
s of its time is given up, as an impatient client would. The generator's {PROCESSES} processes
take their processor time from the same machine, so the server has less than when its capacity
was measured. A probe of {PROBE_RATE_PER_S:g} orders a second on connections of its own runs from
{BEFORE_S:g} s before the overload to {AFTER_S:g} s after it. The exchange has recovered with the
first whole second after the last order of the overload in which every probe was accepted and
their p99 was at most twice what it was before (or {SICK_MS_MIN:g} ms)."""


class Memory(Struct, frozen=True):
    """Resident bytes of the server, and of it with its children, at a time."""

    at_ns: int
    own: int
    together: int


class Overload(Struct, frozen=True, kw_only=True):
    """What was seen. Times in `load` and `probe` count from their `…_start_ns`."""

    capacity_per_s: float
    plan: Plan
    load: Samples
    load_start_ns: int
    probe: Samples
    probe_start_ns: int
    memory: list[Memory]


async def measure(bench: Bench) -> Result:
    require("wrk")
    with bench.home("overload") as home:
        async with exchange(home) as server:
            capacity = await find_capacity(bench, server)
            bench.say(f"capacity {capacity:,.0f} orders/s, offering {FACTOR * capacity:,.0f}")
            with Meter(server.pid) as meter:
                seen = await overload(server, capacity, bench.effort.overload_seconds)
            return _result(seen, meter.others_s / meter.wall_s)


async def find_capacity(bench: Bench, server: Server) -> float:
    """Orders a second in a closed loop: the median of the rounds."""
    singles, _ = write_bodies(server.home)
    run = partial(
        wrk.load,
        f"{server.url}/orders",
        server.pid,
        singles,
        seconds=bench.effort.seconds / 2,
        warm_up_s=bench.effort.warm_up_s,
    )
    runs = await bench.interleaved({"capacity": run})
    return median(r.orders_per_s for r in runs["capacity"])


async def overload(server: Server, capacity_per_s: float, seconds: float) -> Overload:
    """Probe it, overload it meanwhile, watch its memory."""
    plan = Plan(
        host=server.host,
        port=server.port,
        rate_per_s=FACTOR * capacity_per_s,
        seconds=seconds,
        warm_up_s=0,
        connections=CONNECTIONS,
        pipeline=PIPELINE,
        processes=PROCESSES,
        keys=False,
        give_up_s=GIVE_UP_S,
    )
    probe = Plan(
        host=server.host,
        port=server.port,
        rate_per_s=PROBE_RATE_PER_S,
        seconds=BEFORE_S + seconds + AFTER_S,
        warm_up_s=1,
        connections=PROBE_CONNECTIONS,
        pipeline=PIPELINE,
        keys=False,
        seed=2,
    )
    probing, loading = _Run(probe), _Run(plan)
    memory: list[Memory] = []
    async with trio.open_nursery() as watching:
        watching.start_soon(_watch_memory, server.pid, memory)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(probing.run)
            await trio.sleep(BEFORE_S + probe.warm_up_s)
            nursery.start_soon(loading.run)
        watching.cancel_scope.cancel()
    return Overload(
        capacity_per_s=capacity_per_s,
        plan=plan,
        load=loading.samples,
        load_start_ns=loading.start_ns,
        probe=probing.samples,
        probe_start_ns=probing.start_ns,
        memory=memory,
    )


class _Run:
    """A plan that runs in a thread, with what came of it and when it began."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.start_ns = 0
        self.samples = Samples()

    async def run(self) -> None:
        work = partial(run_plan, self._plan, started=self._begun)
        self.samples = await trio.to_thread.run_sync(work)

    def _begun(self, start_ns: int) -> None:
        self.start_ns = start_ns


async def _watch_memory(pid: int, memory: list[Memory]) -> None:
    while True:
        own = resident_bytes(pid)
        others = sum(_resident_or_gone(child) for child in children(pid))
        memory.append(Memory(perf_counter_ns(), own, own + others))
        await trio.sleep(0.5)


def _resident_or_gone(pid: int) -> int:
    try:
        return resident_bytes(pid)
    except OSError:
        return 0


class Findings(Struct, frozen=True, kw_only=True):
    """What the overload came to."""

    statuses: dict[int, int]
    accepted_per_s: float
    accepted_p99_ms: float
    p99_early_ms: float
    p99_late_ms: float
    recovery_s: float
    memory_growth: float
    before_mb: float
    greatest_mb: float

    @property
    def failures(self) -> int:
        fine = (200, 201, 429, 503, NOT_SENT)
        return sum(count for status, count in self.statuses.items() if status not in fine)


def findings(run: Overload) -> Findings:
    """The figures out of the samples."""
    end_ns = run.load_start_ns + round(run.plan.seconds * NS_PER_S)
    third_ns = round(run.plan.seconds * NS_PER_S / 3)
    first_mb, second_mb = _halves_mb(run, end_ns)
    before = [m.own for m in run.memory if m.at_ns < run.load_start_ns]
    accepted = run.load.accepted_ns()
    return Findings(
        statuses=dict(sorted(run.load.statuses().items())),
        accepted_per_s=len(accepted) / run.plan.seconds,
        accepted_p99_ms=percentile(accepted, 0.99) / 1e6,
        p99_early_ms=_p99_ms(run.load.between(third_ns, 2 * third_ns)),
        p99_late_ms=_p99_ms(run.load.between(2 * third_ns, 3 * third_ns)),
        recovery_s=recovery_s(run.probe, run.load_start_ns, end_ns, run.probe_start_ns),
        memory_growth=second_mb / first_mb,
        before_mb=max(before, default=0) / 1e6,
        greatest_mb=max(m.own for m in run.memory) / 1e6,
    )


def recovery_s(probe: Samples, load_start_ns: int, load_end_ns: int, probe_start_ns: int) -> float:
    """Seconds from the last overload order to a second that is well again; inf if none is.

    A second is well if all its probes were accepted and their p99 is no more than twice what it was
    before the overload (or `SICK_MS_MIN`).
    """
    rows = list(zip(probe.due_ns, probe.latency_ns, probe.status, strict=True))
    before = sorted(ns for due, ns, _ in rows if probe_start_ns + due < load_start_ns - NS_PER_S)
    sick_ns = max(SICK_MS_MIN * 1e6, 2 * percentile(before, 0.99))
    end_ns = load_end_ns - probe_start_ns
    after = [row for row in rows if row[0] >= end_ns]
    for number, (due, _, _) in enumerate(after):
        second = [row for row in after[number:] if row[0] < due + NS_PER_S]
        if due + NS_PER_S > rows[-1][0]:
            break
        well = all(status == 201 for _, _, status in second)
        if well and percentile(sorted(ns for _, ns, _ in second), 0.99) <= sick_ns:
            return (due - end_ns) / NS_PER_S
    return math.inf


def _halves_mb(run: Overload, end_ns: int) -> tuple[float, float]:
    """The greatest memory in each half of the overload."""
    middle_ns = (run.load_start_ns + end_ns) // 2
    first = [m.own for m in run.memory if run.load_start_ns <= m.at_ns < middle_ns]
    second = [m.own for m in run.memory if middle_ns <= m.at_ns < end_ns]
    return max(first, default=1) / 1e6, max(second, default=1) / 1e6


def _p99_ms(samples: Samples) -> float:
    return percentile(samples.accepted_ns(), 0.99) / 1e6


def _result(run: Overload, others_cores: float) -> Result:
    found = findings(run)
    turned_away = found.statuses.get(503, 0) + found.statuses.get(429, 0)
    without = run.load.retry_after_missing
    bounded = found.accepted_p99_ms <= ACCEPTED_P99_MS_MAX and found.p99_late_ms <= 1.5 * max(
        found.p99_early_ms, SICK_MS_MIN
    )
    holds = (
        turned_away > 0
        and not without
        and not found.failures
        and found.memory_growth <= GROWTH_MAX
        and bounded
        and found.recovery_s <= RECOVERY_S_MAX
    )
    target = Target(
        what=f"Open-loop overload at {FACTOR:g} × capacity for {run.plan.seconds:g} s",
        target="503 with Retry-After, memory flat, latency of what is accepted bounded, recovered "
        f"within {RECOVERY_S_MAX:g} s",
        measured=f"{found.statuses.get(503, 0):,} × 503, {without:,} without Retry-After; "
        f"{found.failures:,} failed; memory {found.before_mb:,.0f} → {found.greatest_mb:,.0f} MB; "
        f"accepted p99 {found.accepted_p99_ms:,.0f} ms; recovered in {found.recovery_s:.1f} s",
        holds=holds,
    )
    return Result(
        name=NAME,
        title=TITLE,
        targets=[target],
        method=METHOD,
        tables=[_table(run, found)],
        plots=[Plot(f"{NAME}.svg", "Before, during and after the overload", plot(run))],
        others_cores=others_cores,
    )


def _table(run: Overload, found: Findings) -> Table:
    names = {LOST: "no reply", NOT_SENT: "given up by the client"}
    rows = [
        ("capacity, closed loop", f"{run.capacity_per_s:,.0f} orders/s"),
        ("offered", f"{run.plan.rate_per_s:,.0f} orders/s"),
        ("accepted", f"{found.accepted_per_s:,.0f} orders/s"),
        *(
            (names.get(status, f"answered {status}"), f"{count:,}")
            for status, count in found.statuses.items()
        ),
        ("accepted, p99", f"{found.accepted_p99_ms:,.1f} ms"),
        (
            "accepted, p99 in the second and last third",
            f"{found.p99_early_ms:,.1f} and {found.p99_late_ms:,.1f} ms",
        ),
        (
            "server's memory before, greatest",
            f"{found.before_mb:,.0f} and {found.greatest_mb:,.0f} MB",
        ),
        ("memory, second half ÷ first", f"{found.memory_growth:.3f}"),
        ("recovered after", f"{found.recovery_s:.2f} s"),
        ("generator, busiest process", f"{run.load.busiest_share:.2f} cores"),
    ]
    return Table(("", ""), rows)


def plot(run: Overload) -> str:
    """SVG: latency of the accepted, orders a second, memory; seconds count from the overload."""
    offset_s = (run.load_start_ns - run.probe_start_ns) / NS_PER_S
    band = [(offset_s, offset_s + run.plan.seconds)]
    load, probe = list(slices(run.load, 0.5)), list(slices(run.probe, 0.5))
    latency = [
        Series(name="accepted, p50", points=_latency(load, 0.5, offset_s)),
        Series(name="accepted, p99", points=_latency(load, 0.99, offset_s)),
        Series(name="probe, p99", points=_latency(probe, 0.99, 0.0)),
    ]
    rates = [
        Series(name="accepted", points=_rates(load, offset_s, (200, 201))),
        Series(name="503", points=_rates(load, offset_s, (503,))),
        Series(name="given up", points=_rates(load, offset_s, (NOT_SENT,))),
    ]
    seconds = [((m.at_ns - run.probe_start_ns) / NS_PER_S, m) for m in run.memory]
    memory = [
        Series(name="server", points=[(s, m.own / 1e6) for s, m in seconds if s >= 0]),
        Series(
            name="with children (a snapshot is made by one)",
            points=[(s, m.together / 1e6) for s, m in seconds if s >= 0],
        ),
    ]
    return line_chart(
        "Before, during and after the overload",
        [
            Panel(
                title="Latency of accepted orders, by time due",
                unit="milliseconds, logarithmic",
                series=latency,
                logarithmic=True,
                bands=band,
            ),
            Panel(title="Replies", unit="orders a second", series=rates, bands=band),
            Panel(title="Resident memory", unit="MB", series=memory, bands=band),
        ],
    )


def _latency(rows: Sequence[Slice], share: float, offset_s: float) -> list[tuple[float, float]]:
    return [
        (row.start_s + offset_s, percentile(row.accepted_ns, share) / 1e6)
        for row in rows
        if row.accepted_ns
    ]


def _rates(
    rows: Sequence[Slice], offset_s: float, statuses: tuple[int, ...]
) -> list[tuple[float, float]]:
    return [
        (row.start_s + offset_s, sum(row.statuses[status] for status in statuses) / row.seconds)
        for row in rows
    ]
