"""Order entry over WebSockets, beside Node `ws` echoing the same messages."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from statistics import median

import msgspec
import trio
from msgspec import Struct

from measurements import CHECKOUT
from measurements.bench import Bench
from measurements.exchange import exchange, sequence
from measurements.processes import Meter
from measurements.references import reference
from measurements.results import Result, Table, Target, median_ratio
from measurements.tools import require
from measurements.wrk import LoadRefused, check_log, write_bodies
from tradeclear.testing.server import Server

NAME = "websocket"
TITLE = "Orders over WebSockets"

RATIO_MIN = 0.8
P99_MS_MAX = 20.0
CONNECTIONS = 8
IN_FLIGHT = 64
LOAD = "bench/measurements/websocket_load.py"

OURS, ECHO = "WS /ws/orders, durable", "Node ws, echoing"

METHOD = f"""\
{CONNECTIONS} connections, {IN_FLIGHT} orders in flight on each, an order a text frame, a reply a
text frame: as soon as replies come, so many orders follow. One client process (`{LOAD}`) for
both servers, sending both the same bytes; Node `ws` sends each message back as it came. Half of
the orders trade."""


class Run(Struct, frozen=True, kw_only=True):
    """What websocket_load.py prints."""

    messages: int
    seconds: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    refused: int
    answered: int
    client_share: float
    server_s: float = 0.0
    others_cores: float = 0.0

    @property
    def per_s(self) -> float:
        return self.messages / self.seconds

    @property
    def per_cpu_s(self) -> float:
        return self.messages / self.server_s

    def __str__(self) -> str:
        return f"{self.per_s:,.0f} messages/s, p99 {self.p99_ms:.2f} ms"


async def measure(bench: Bench) -> Result:
    require("node", "npm")
    with bench.home("websocket") as home:
        async with AsyncExitStack() as stack:
            echo = await stack.enter_async_context(reference("websocket"))
            server = await stack.enter_async_context(exchange(home))
            bodies, _ = write_bodies(home)
            contenders: dict[str, Callable[[], Awaitable[Run]]] = {
                ECHO: partial(_load, bench, f"{echo.url}/", echo.pid, bodies),
                OURS: partial(_ours, bench, server, bodies),
            }
            return _result(await bench.interleaved(contenders))


async def _ours(bench: Bench, server: Server, bodies: Path) -> Run:
    before = await sequence(server)
    run = await _load(bench, f"{server.url}/ws/orders", server.pid, bodies)
    if run.refused:
        raise LoadRefused(f"{run.refused:,} of {run.answered:,} replies were no success")
    check_log(run.answered, await sequence(server) - before, 0)
    return run


async def _load(bench: Bench, url: str, pid: int, bodies: Path) -> Run:
    effort = bench.effort
    command = [sys.executable, LOAD, url, str(bodies)]
    command += ["--connections", str(CONNECTIONS), "--in-flight", str(IN_FLIGHT)]
    command += ["--seconds", str(effort.seconds), "--warm-up", str(effort.warm_up_s)]
    with Meter(pid) as meter:
        process = await trio.run_process(
            command, cwd=CHECKOUT, check=False, capture_stdout=True, capture_stderr=True
        )
    if process.returncode:
        raise LoadRefused(process.stderr.decode().strip().rpartition("\n")[2])
    run = msgspec.json.decode(process.stdout, type=Run)
    # The meter has seen the warm-up too, at the same load.
    share = run.seconds / (effort.seconds + effort.warm_up_s)
    return msgspec.structs.replace(
        run, server_s=meter.server_s * share, others_cores=meter.others_s / meter.wall_s
    )


def _result(runs: dict[str, list[Run]]) -> Result:
    ours, echo = runs[OURS], runs[ECHO]
    ratio = median_ratio([run.per_s for run in ours], [run.per_s for run in echo])
    p99_ms = median(run.p99_ms for run in ours)
    rows = [
        (
            name,
            f"{median(r.per_s for r in of):,.0f} ({min(r.per_s for r in of):,.0f} – "
            f"{max(r.per_s for r in of):,.0f})",
            f"{median_ratio([r.per_s for r in of], [r.per_s for r in echo]):.2f}",
            f"{median(r.per_cpu_s for r in of):,.0f}",
            f"{median_ratio([r.per_cpu_s for r in of], [r.per_cpu_s for r in echo]):.2f}",
            *(f"{median(getattr(r, p) for r in of):.2f}" for p in ("p50_ms", "p99_ms", "p999_ms")),
            f"{median(r.client_share for r in of):.2f}",
        )
        for name, of in runs.items()
    ]
    head = (
        "who answers", "messages/s", "× ws", "per server-CPU second", "× ws", "p50 ms", "p99 ms",
        "p99.9 ms", "client's cores",
    )  # fmt: skip
    return Result(
        name=NAME,
        title=TITLE,
        targets=[
            Target(
                what=f"`WS /ws/orders`, {CONNECTIONS} connections, {IN_FLIGHT} in flight "
                "÷ Node `ws` echoing",
                target=f"≥ {RATIO_MIN}, p99 ≤ {P99_MS_MAX:.0f} ms",
                measured=f"{ratio:.2f} ({median(run.per_s for run in ours):,.0f}/s), "
                f"p99 {p99_ms:.1f} ms",
                holds=ratio >= RATIO_MIN and p99_ms <= P99_MS_MAX,
            )
        ],
        method=METHOD,
        tables=[Table(head, rows)],
        others_cores=median(run.others_cores for of in runs.values() for run in of),
    )
