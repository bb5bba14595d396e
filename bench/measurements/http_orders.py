"""Orders over HTTP as fast as they are taken, beside handlers that do nothing and the disk."""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from statistics import median

import trio

from measurements import disk, wrk
from measurements.bench import Bench
from measurements.exchange import exchange, log_bytes, segments, sequence
from measurements.references import reference
from measurements.results import Plot, Result, Table, Target, median_ratio
from measurements.tools import require
from measurements.wrk import BATCH, CONNECTIONS, Throughput, check_log, write_bodies
from tradeclear.testing.plots.charts import Bar, bar_chart
from tradeclear.testing.server import Server

NAME = "http_orders"
TITLE = "Orders over HTTP"

RATIO_MIN = 2.0
P99_MS_MAX = 10.0
BATCH_RATIO_MIN = 12.0
GROUPS = (1, 32, 100)

EXPRESS = "Express 4: express.json(), res.json(…)"
EXPRESS_JSON = "Express 4: res.json(…), body not read"
EXPRESS_BYTES = "Express 4: res.end(bytes), body not read"
FASTIFY = "Fastify: reply.send(bytes), body not read"
SINGLE = "POST /orders"
KEYED = "POST /orders with idempotency keys"
BATCHES = f"POST /orders/batch of {BATCH}"

METHOD = f"""\
wrk, one thread, {CONNECTIONS} keep-alive connections, closed loop; the same requests to all, one
after the other in every round, all servers started beforehand. Half of the orders trade, the
book stays small. Every reply was a success, and the log got a record for every order of
tradeclear's that was answered. The handlers of the others do nothing. What counts as Express is
what people write for an order: `app.use(express.json())`, and `res.status(201).json(reply)`; the
other two forms leave out what a handler of orders can't leave out, and are there to show where
Node's time goes. The disk's rows write the bytes of so many records to
the same file system and sync them, in a loop, with nothing else going on: what any server with a
log like this one could reach at most."""


async def measure(bench: Bench) -> Result:
    require("wrk", "node", "npm")
    with bench.home("http") as home:
        async with AsyncExitStack() as stack:
            express = await stack.enter_async_context(reference("express"))
            fastify = await stack.enter_async_context(reference("fastify"))
            server = await stack.enter_async_context(exchange(home))
            singles, batches = write_bodies(home)
            load = partial(wrk.load, seconds=bench.effort.seconds, warm_up_s=bench.effort.warm_up_s)
            ours = partial(_ours, server, load)
            runs = await bench.interleaved(
                {
                    EXPRESS: partial(load, f"{express.url}/body/orders", express.pid, singles),
                    SINGLE: partial(ours, "/orders", singles),
                    KEYED: partial(ours, "/orders", singles, keyed=True),
                    BATCHES: partial(ours, "/orders/batch", batches, orders_a_request=BATCH),
                    EXPRESS_JSON: partial(load, f"{express.url}/json/orders", express.pid, singles),
                    EXPRESS_BYTES: partial(load, f"{express.url}/orders", express.pid, singles),
                    FASTIFY: partial(load, f"{fastify.url}/orders", fastify.pid, singles),
                }
            )
            limits = await _disk_limits(bench, home, server)
    return _result(runs, limits)


async def _ours(
    server: Server,
    load: Callable[..., Awaitable[Throughput]],
    path: str,
    bodies: Path,
    *,
    orders_a_request: int = 1,
    keyed: bool = False,
) -> Throughput:
    """A run on tradeclear. Raises `LoadRefused` if the log does not hold what was answered."""
    before = await sequence(server)
    run = await load(
        f"{server.url}{path}",
        server.pid,
        bodies,
        orders_a_request=orders_a_request,
        key_prefix=secrets.token_hex(4) if keyed else "",
    )
    # wrk drops what is under way when its time is over: once in the warm-up, once in the run.
    under_way = 2 * CONNECTIONS * orders_a_request
    check_log(run.orders_answered, await sequence(server) - before, under_way)
    return run


async def _disk_limits(bench: Bench, home: Path, server: Server) -> dict[int, list[disk.Commits]]:
    """Commits of real records from the log, by records a commit."""
    record_bytes = round(log_bytes(server) / await sequence(server))
    data = segments(server)[0].read_bytes()
    contenders: dict[str, Callable[[], Awaitable[disk.Commits]]] = {}
    for records in GROUPS:
        payload = data[: record_bytes * records]
        run = partial(disk.commits, home, payload, records, bench.effort.seconds / 5)
        contenders[f"disk, {records}"] = partial(trio.to_thread.run_sync, run)
    results = await bench.interleaved(contenders)
    return {runs[0].records: runs for runs in results.values()}


def _result(runs: dict[str, list[Throughput]], limits: dict[int, list[disk.Commits]]) -> Result:
    express = runs[EXPRESS]
    ratio = _ratio(runs[SINGLE], express)
    p99_ms = median(run.p99_ms for run in runs[SINGLE])
    batch_ratio = _ratio(runs[BATCHES], express)
    single_per_s = median(run.orders_per_s for run in runs[SINGLE])
    batched_per_s = median(run.orders_per_s for run in runs[BATCHES])
    targets = [
        Target(
            what="`POST /orders`, one order a request ÷ the empty Express 4 handler",
            target=f"≥ {RATIO_MIN:.1f}, p99 ≤ {P99_MS_MAX:.0f} ms",
            measured=f"{ratio:.2f} ({single_per_s:,.0f}/s), p99 {p99_ms:.1f} ms; "
            f"÷ `res.json` without a body parser {_ratio(runs[SINGLE], runs[EXPRESS_JSON]):.2f}, "
            f"÷ `res.end` of ready bytes {_ratio(runs[SINGLE], runs[EXPRESS_BYTES]):.2f}",
            holds=ratio >= RATIO_MIN and p99_ms <= P99_MS_MAX,
        ),
        Target(
            what=f"`/orders/batch` of {BATCH}: durable orders for a request of the empty Express",
            target=f"≥ {BATCH_RATIO_MIN:.0f}",
            measured=f"{batch_ratio:.1f} ({batched_per_s:,.0f} orders/s)",
            holds=batch_ratio >= BATCH_RATIO_MIN,
        ),
    ]
    rows = [_row(name, runs[name], express) for name in runs]
    bars = [
        Bar(
            name=name,
            value=median(run.orders_per_s for run in runs[name]),
            note=f"{_ratio(runs[name], express):.2f} × Express",
            emphasis=name in (SINGLE, KEYED),
        )
        for name in (SINGLE, KEYED, EXPRESS, EXPRESS_JSON, EXPRESS_BYTES, FASTIFY)
    ]
    return Result(
        name=NAME,
        title=TITLE,
        targets=targets,
        method=METHOD,
        tables=[
            Table(
                (
                    "who answers", "orders/s", "× Express", "orders per server-CPU second",
                    "× Express", "cores used", "p50 ms", "p99 ms", "p99.9 ms",
                ),
                rows,
            ),
            _limits_table(limits, single_per_s, batched_per_s),
        ],
        plots=[
            Plot(
                f"{NAME}.svg",
                "Orders a second, one a request",
                bar_chart("Orders a second, one a request", "median of the runs", bars),
            )
        ],
        others_cores=median(run.others_cores for name in runs for run in runs[name]),
    )  # fmt: skip


def _row(name: str, runs: list[Throughput], express: list[Throughput]) -> tuple[str, ...]:
    per_s = [run.orders_per_s for run in runs]
    cpu_ratio = median_ratio([r.per_cpu_s for r in runs], [r.per_cpu_s for r in express])
    return (
        name,
        f"{median(per_s):,.0f} ({min(per_s):,.0f} – {max(per_s):,.0f})",
        f"{_ratio(runs, express):.2f}",
        f"{median(run.per_cpu_s for run in runs):,.0f}",
        f"{cpu_ratio:.2f}",
        f"{median(run.cores for run in runs):.2f}",
        *(
            f"{median(getattr(run, p) for run in runs):.2f}"
            for p in ("p50_ms", "p99_ms", "p999_ms")
        ),
    )


def _limits_table(
    limits: dict[int, list[disk.Commits]], single_per_s: float, batched_per_s: float
) -> Table:
    rows = []
    for records, runs in limits.items():
        per_s = median(run.records_per_s for run in runs)
        rows.append(
            (
                f"disk, {records} record{'s' * (records > 1)} a commit",
                f"{median(run.commits_per_s for run in runs):,.0f}",
                f"{per_s:,.0f}",
                f"{single_per_s / per_s:.2f}",
                f"{batched_per_s / per_s:.2f}",
            )
        )
    head = (
        "the disk's own limit", "commits/s", "records/s", "one order a request ÷ it",
        "batches ÷ it",
    )  # fmt: skip
    return Table(head, rows)


def _ratio(runs: list[Throughput], express: list[Throughput]) -> float:
    """Orders a second over Express's requests a second."""
    return median_ratio([r.orders_per_s for r in runs], [r.requests_per_s for r in express])
