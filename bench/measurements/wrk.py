"""wrk: closed-loop load in C, so that the load generator is not the limit."""

from math import lcm
from pathlib import Path

import msgspec
import trio
from loadtest.orders import balanced_orders
from msgspec import Struct

from measurements import CHECKOUT
from measurements.processes import Meter

SCRIPT = "bench/measurements/orders.lua"
CONNECTIONS = 32
BATCH = 100


class WrkReport(Struct, frozen=True):
    """What orders.lua prints at the end."""

    requests: int
    microseconds: int
    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    max_us: float
    other_status: int
    broken: int


class Throughput(Struct, frozen=True, kw_only=True):
    """One run. `orders` is what the requests held; `cores` what the server used of the machine."""

    orders_answered: int
    """Those of the warm-up too: so many records the log must have got."""

    orders_per_s: float
    requests_per_s: float
    per_cpu_s: float
    cores: float
    others_cores: float
    p50_ms: float
    p99_ms: float
    p999_ms: float

    def __str__(self) -> str:
        return f"{self.orders_per_s:,.0f} orders/s, p99 {self.p99_ms:.2f} ms"


class LoadRefused(Exception):
    """A server did not answer every request with success: there is no figure."""


async def load(
    url: str,
    pid: int,
    bodies: Path,
    *,
    seconds: float,
    warm_up_s: float = 0.0,
    orders_a_request: int = 1,
    key_prefix: str = "",
) -> Throughput:
    """Load `url`, whose server is `pid`, after a warm-up. Raises `LoadRefused`."""
    warm_up = 0
    if warm_up_s:
        key = f"{key_prefix}w" if key_prefix else ""
        warm_up = (await _run(url, bodies, warm_up_s, key)).requests
    with Meter(pid) as meter:
        report = await _run(url, bodies, seconds, key_prefix)
    took_s = report.microseconds / 1e6
    orders = report.requests * orders_a_request
    return Throughput(
        orders_answered=orders + warm_up * orders_a_request,
        orders_per_s=orders / took_s,
        requests_per_s=report.requests / took_s,
        per_cpu_s=orders / meter.server_s,
        cores=meter.server_s / meter.wall_s,
        others_cores=meter.others_s / meter.wall_s,
        p50_ms=report.p50_us / 1e3,
        p99_ms=report.p99_us / 1e3,
        p999_ms=report.p999_us / 1e3,
    )


async def _run(url: str, bodies: Path, seconds: float, key_prefix: str) -> WrkReport:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", SCRIPT, url]
    command += ["--", str(bodies), *([key_prefix] if key_prefix else [])]
    run = await trio.run_process(
        command, cwd=CHECKOUT, capture_stdout=True, capture_stderr=True, check=False
    )
    if run.returncode:
        raise LoadRefused(f"wrk ended with {run.returncode}: {run.stderr.decode()[-500:]}")
    report = msgspec.json.decode(run.stdout.rstrip().rpartition(b"\n")[2], type=WrkReport)
    if report.other_status or report.broken or not report.requests:
        raise LoadRefused(
            f"{url}: {report.requests:,} replies, {report.other_status:,} of them no success, "
            f"{report.broken:,} connections failed"
        )
    return report


def write_bodies(folder: Path) -> tuple[Path, Path]:
    """Write orders.jsonl, an order a line, and batches.jsonl, a batch of 100 a line."""
    orders = [order.body() for order in balanced_orders()]
    singles, batches = folder / "orders.jsonl", folder / "batches.jsonl"
    singles.write_text("\n".join(orders) + "\n", encoding="utf-8")
    # Batches go round only when the orders do too, so that the book stays balanced.
    ring = orders * (lcm(len(orders), BATCH) // len(orders))
    starts = range(0, len(ring), BATCH)
    lines = (f'{{"orders":[{",".join(ring[at : at + BATCH])}]}}\n' for at in starts)
    batches.write_text("".join(lines), encoding="utf-8")
    return singles, batches


def check_log(answered: int, records: int, unanswered_max: int) -> None:
    """Raise `LoadRefused` unless the log got a record for every order that was answered.

    At most `unanswered_max` more may be there: orders under way when a load ended.
    """
    if not 0 <= records - answered <= unanswered_max:
        raise LoadRefused(f"{answered:,} orders were answered, {records:,} records are in the log")
