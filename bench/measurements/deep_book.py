"""A million resting orders: what they weigh, how long the collector stops, a snapshot."""

import secrets
import signal
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter, perf_counter_ns

import msgspec
import trio
from loadtest.orders import resting_orders
from loadtest.plan import Plan
from loadtest.report import latency_plot
from loadtest.samples import NS_PER_S, Samples, percentile
from loadtest.workers import run_plan
from msgspec import Struct

from measurements.bench import Bench
from measurements.exchange import INSTRUMENT, exchange
from measurements.fixed_rate import CONNECTIONS, RATE_PER_S
from measurements.processes import Meter, resident_bytes
from measurements.results import Plot, Result, Table, Target
from measurements.wrk import LoadRefused
from tradeclear.testing.server import Server

NAME = "deep_book"
TITLE = "A million resting orders"

ORDER_BYTES_MAX = 1024
KEY_BYTES_MAX = 300
PAUSE_MS_MAX = 10.0
SNAPSHOT_P99_MS_MAX = 10.0
SNAPSHOT_FACTOR_MAX = 2.0

CLOSED_ORDERS_MAX = 200_000
"""The server's default: so many closed orders are remembered, and no more."""

A_REQUEST = 1_000
SNAPSHOT_AFTER_S = 1.0
SETTLE_S = 1.0

METHOD = f"""\
A server is given the orders in batches of {A_REQUEST:,}, on 2 × 5,000 levels beside those where
the load trades. *Memory* is what the process's resident memory grew by, divided by the orders;
for the keys, by orders with a key each that are cancelled at once, after the table of closed
orders was full. *Collector*: Python's own callbacks, in the server, from start to end of all
this. *Snapshots*: {RATE_PER_S:,} orders a second, open loop, latency from the time due;
alternately without and with one `POST /admin/snapshots`; "with" are the orders that were due
while it was made. Automatic snapshots were off here, so that "without" is without."""


class Pauses(Struct, frozen=True):
    """See watch/sitecustomize.py."""

    counts: list[int]
    seconds: list[float]
    long: list[tuple[float, int, float]]

    def between(self, start_s: float, end_s: float) -> "Pauses":
        """Without the long pauses before and after: those of starting and stopping hurt nobody."""
        long = [pause for pause in self.long if start_s <= pause[0] < end_s]
        return Pauses(self.counts, self.seconds, long)

    @property
    def longest_ms(self) -> float:
        return max((seconds for _, _, seconds in self.long), default=0.0) * 1e3


class Phase(Struct, frozen=True):
    """A run of the load without or with a snapshot; the samples are those that count."""

    plan: Plan
    all: Samples
    counted: Samples
    snapshot_s: float
    band: tuple[float, float] | None = None

    def ms(self, share: float) -> float:
        return percentile(self.counted.settled_ns(), share) / 1e6

    def __str__(self) -> str:
        took = f", snapshot {self.snapshot_s:.1f} s" if self.snapshot_s else ""
        return f"p50 {self.ms(0.5):.2f}, p99 {self.ms(0.99):.2f}, max {self.ms(1):.1f} ms{took}"


class Memory(Struct, frozen=True, kw_only=True):
    """Resident bytes at the stages of filling."""

    empty: int
    with_orders: int
    before_keys: int
    with_keys: int


async def measure(bench: Bench) -> Result:
    effort = bench.effort
    with bench.home("deep-book") as home:
        watched = {
            "PYTHONPATH": str(Path(__file__).with_name("watch")),
            "BENCH_WATCH": str(home),
            "TRADECLEAR_SNAPSHOT_INTERVAL_S": "86400",
            "TRADECLEAR_CLOSED_ORDERS_MAX": str(min(CLOSED_ORDERS_MAX, effort.keys)),
        }
        async with exchange(home, watched) as server:
            ready_s = perf_counter()
            with Meter(server.pid) as meter:
                await fleeting(server, 2_000, keys=False)
                empty = await _resident(server)
                await _rest(bench, server)
                with_orders = await _resident(server)
                phases = await bench.interleaved(
                    {
                        "without": partial(one_phase, bench, server, snapshot=False),
                        "with": partial(one_phase, bench, server, snapshot=True),
                    }
                )
                await fleeting(server, round(1.2 * min(CLOSED_ORDERS_MAX, effort.keys)), keys=False)
                before_keys = await _resident(server)
                await fleeting(server, effort.keys, keys=True)
                memory = Memory(
                    empty=empty,
                    with_orders=with_orders,
                    before_keys=before_keys,
                    with_keys=await _resident(server),
                )
            pid, stopped_s = server.pid, perf_counter()
            await server.end(signal.SIGTERM)
        pauses = msgspec.json.decode((home / f"pauses-{pid}.json").read_bytes(), type=Pauses)
    serving = pauses.between(ready_s, stopped_s)
    return _result(bench, memory, serving, phases, meter.others_s / meter.wall_s)


async def _rest(bench: Bench, server: Server) -> None:
    """Fill the book."""
    count = bench.effort.resting_orders
    bench.say(f"placing {count:,} resting orders")
    await post_batches(server, (order.body() for order in resting_orders(count)))


async def fleeting(server: Server, count: int, *, keys: bool) -> None:
    """`count` orders that find nothing at their price and are cancelled at once."""
    prefix = secrets.token_hex(4)
    end = (
        f'"client_id":"fleeting","instrument":"{INSTRUMENT}","side":"buy","type":"limit",'
        '"price":1,"quantity":0.01,"time_in_force":"ioc"}'
    )
    start = '"idempotency_key":"{prefix}-{number:09}",' if keys else ""
    await post_batches(
        server,
        ("{" + start.format(prefix=prefix, number=number) + end for number in range(count)),
    )


async def post_batches(server: Server, bodies: Iterable[str]) -> None:
    """Send all, a batch a request, one request after the other. Raises `LoadRefused`."""
    async with await server.connect() as connection:
        for batch in _in_batches(iter(bodies)):
            body = f'{{"orders":[{",".join(batch)}]}}'.encode()
            reply = await connection.request("POST", "/orders/batch", body)
            if reply.status != 200 or reply.body.count(b'"status":201') != len(batch):
                raise LoadRefused(f"a batch was answered with {reply.status}: {reply.body[:300]!r}")


def _in_batches(bodies: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(bodies, A_REQUEST)):
        yield batch


async def _resident(server: Server) -> int:
    """Its memory once it has come to rest."""
    await trio.sleep(SETTLE_S)
    return resident_bytes(server.pid)


async def one_phase(bench: Bench, server: Server, *, snapshot: bool) -> Phase:
    """Load it for a while, and have it write a snapshot meanwhile if wanted."""
    plan = Plan(
        host=server.host,
        port=server.port,
        rate_per_s=RATE_PER_S,
        seconds=bench.effort.seconds + 2 * SNAPSHOT_AFTER_S,
        warm_up_s=1,
        connections=CONNECTIONS,
        keys=False,  # the window of remembered keys is filled, and weighed, afterwards
    )
    taken: list[int] = []
    async with trio.open_nursery() as nursery:
        token = trio.lowlevel.current_trio_token()
        begun = trio.Event()

        def started(start_ns: int) -> None:
            taken.append(start_ns)
            token.run_sync_soon(begun.set)

        async def take() -> None:
            await begun.wait()
            await trio.sleep((taken[0] - perf_counter_ns()) / NS_PER_S + SNAPSHOT_AFTER_S)
            taken.append(perf_counter_ns())
            async with await server.connect() as connection:
                reply = await connection.request("POST", "/admin/snapshots")
            taken.append(perf_counter_ns())
            if reply.status != 201:
                raise LoadRefused(f"the snapshot was answered with {reply.status}: {reply.body!r}")

        if snapshot:
            nursery.start_soon(take)
        run = partial(run_plan, plan, started=started)
        samples = await trio.to_thread.run_sync(run)
    if not snapshot:
        return Phase(plan, samples, samples, 0.0)
    start_ns, from_ns, until_ns = taken
    counted = samples.between(from_ns - start_ns, until_ns - start_ns)
    band = ((from_ns - start_ns) / NS_PER_S, min(plan.seconds, (until_ns - start_ns) / NS_PER_S))
    return Phase(plan, samples, counted, (until_ns - from_ns) / NS_PER_S, band)


def _result(
    bench: Bench,
    memory: Memory,
    pauses: Pauses,
    phases: dict[str, list[Phase]],
    others_cores: float,
) -> Result:
    orders, keys = bench.effort.resting_orders, bench.effort.keys
    order_bytes = (memory.with_orders - memory.empty) / orders
    key_bytes = (memory.with_keys - memory.before_keys) / keys
    without_ms, with_ms = (median(p.ms(0.99) for p in phases[name]) for name in ("without", "with"))
    allowed_ms = max(SNAPSHOT_FACTOR_MAX * without_ms, SNAPSHOT_P99_MS_MAX)
    last = phases["with"][-1]
    targets = [
        Target(
            what=f"Memory: a resting order ({orders:,} of them)",
            target=f"≤ {ORDER_BYTES_MAX:,} bytes",
            measured=f"{order_bytes:,.0f} bytes",
            holds=order_bytes <= ORDER_BYTES_MAX,
        ),
        Target(
            what=f"Memory: a remembered idempotency key ({keys:,} of them)",
            target=f"≤ {KEY_BYTES_MAX} bytes",
            measured=f"{key_bytes:,.0f} bytes",
            holds=key_bytes <= KEY_BYTES_MAX,
        ),
        Target(
            what=f"Garbage collector, longest pause with {orders:,} resting orders",
            target=f"≤ {PAUSE_MS_MAX:g} ms",
            measured=f"{pauses.longest_ms:.1f} ms",
            holds=pauses.longest_ms <= PAUSE_MS_MAX,
        ),
        Target(
            what=f"A snapshot of {orders:,} resting orders while {RATE_PER_S:,}/s come in",
            target=f"p99 ≤ the larger of {SNAPSHOT_FACTOR_MAX:g} × without and "
            f"{SNAPSHOT_P99_MS_MAX:g} ms",
            measured=f"p99 {with_ms:.2f} ms, without {without_ms:.2f} ms",
            holds=with_ms <= allowed_ms,
        ),
    ]
    return Result(
        name=NAME,
        title=TITLE,
        targets=targets,
        method=METHOD,
        tables=[_phase_table(phases), _pause_table(pauses)],
        plots=[
            Plot(
                f"{NAME}.svg",
                "Latency over time; a snapshot is made in the shaded part",
                latency_plot(last.plan, last.all, [last.band] if last.band else []),
            )
        ],
        others_cores=others_cores,
    )


def _phase_table(phases: dict[str, list[Phase]]) -> Table:
    rows = [
        (
            f"{name} a snapshot",
            *(f"{median(p.ms(share) for p in of):.2f}" for share in (0.5, 0.99, 0.999)),
            f"{max(p.ms(1) for p in of):.1f}",
            f"{median(p.snapshot_s for p in of):.1f}" if name == "with" else "–",
        )
        for name, of in phases.items()
    ]
    return Table(("", "p50 ms", "p99 ms", "p99.9 ms", "worst ms", "snapshot takes s"), rows)


def _pause_table(pauses: Pauses) -> Table:
    rows = []
    for generation in range(3):
        long = [seconds for _, of, seconds in pauses.long if of == generation]
        rows.append(
            (
                f"generation {generation}",
                f"{pauses.counts[generation]:,}",
                f"{pauses.seconds[generation] * 1e3:,.0f}",
                f"{len(long):,}",
                f"{max(long, default=0.0) * 1e3:.1f}" if long else "under 1",
            )
        )
    return Table(
        ("collections", "in all", "ms together", "1 ms or more, serving", "longest ms"), rows
    )
