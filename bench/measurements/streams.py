"""Streams: what a delivery costs beside Node `ws`, and who notices whom under load."""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median

import msgspec
import trio
from msgspec import Struct

from measurements import CHECKOUT
from measurements.bench import Bench
from measurements.exchange import exchange
from measurements.fixed_rate import WARM_UP_S, one_run
from measurements.processes import cpu_seconds, resident_bytes
from measurements.references import reference
from measurements.results import Result, Table, Target, median_ratio
from measurements.tools import require
from measurements.wrk import LoadRefused
from tradeclear.testing.server import Server

NAME = "streams"
TITLE = "Streams to a thousand subscribers"

SUBSCRIBERS = 1_000
STALLED = 1_000
BURST = 8
RATIO_MIN = {1: 1.3, BURST: 6.0}
RATE_PER_S = 50
STREAM_P99_MS_MAX = 100.0
ORDERS_P99_MS_MAX = 25.0
LEAVING_S = 1.0
"""The orders end so long before the subscribers leave, all at once: that is another question."""

STALLED_RATIO_MAX = 2.0
SUBSCRIBER_KIB_MAX = 64.0
INSTRUMENTS = '[{"name":"BTC-USD"},{"name":"ETH-USD"}]'
LOAD = "bench/measurements/stream_load.py"

OURS, BROADCAST = "WS /stream, durable", "Node ws, broadcasting"

METHOD = f"""\
{SUBSCRIBERS:,} subscribers to the trades of one instrument, in one client process (`{LOAD}`). An
order that trades is one message to each of them; the next comes when all have heard the last.
{BURST} orders in one commit are {BURST} messages in one send. Node `ws` is given the same texts by
its driver and sends them to as many. What counts is the server's processor time; ours has
placing, matching and the log in it. Then {RATE_PER_S} messages a second to all, while
`load-test/run.py` places 2,000 orders a second on another instrument: alone, and with
{STALLED:,} more subscribers that never read. Latency counts from the order's sending; the last
order comes {LEAVING_S:g} s before the subscribers leave, a thousand of them at once."""


class Run(Struct, frozen=True, kw_only=True):
    """What stream_load.py prints."""

    deliveries: int
    seconds: float
    message_bytes: float
    client_share: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    server_s: float = 0.0
    subscriber_kib: float = 0.0
    orders_p99_ms: float = 0.0
    orders_failed: int = 0

    @property
    def per_cpu_s(self) -> float:
        return self.deliveries / self.server_s

    def __str__(self) -> str:
        return (
            f"{self.per_cpu_s:,.0f} deliveries per server-CPU second of {self.message_bytes:.0f} "
            f"bytes, p99 {self.p99_ms:.1f} ms, orders' p99 {self.orders_p99_ms:.1f} ms"
        )


async def measure(bench: Bench) -> Result:
    require("node", "npm")
    runs: dict[int, dict[str, list[Run]]] = {}
    for messages in (1, BURST):
        with bench.home("streams") as home:
            text = home / "message.json"
            async with reference("broadcast") as node, exchange(home, _environment()) as server:
                contenders: dict[str, Callable[[], Awaitable[Run]]] = {
                    OURS: partial(_ours, bench, server, messages, text),
                    BROADCAST: partial(_node, bench, node.url, node.pid, messages, text),
                }
                runs[messages] = await bench.interleaved(contenders)
    with bench.home("streams") as home:
        async with exchange(home, _environment()) as server:
            loads: dict[str, Callable[[], Awaitable[Run]]] = {
                "all read": partial(_under_load, bench, server, 0),
                f"{STALLED:,} more never read": partial(_under_load, bench, server, STALLED),
            }
            under_load = await bench.interleaved(loads)
    return _result(runs, under_load)


def _environment() -> dict[str, str]:
    return {"TRADECLEAR_INSTRUMENTS": INSTRUMENTS}


async def _ours(bench: Bench, server: Server, messages: int, text: Path) -> Run:
    options = [*_ours_urls(server), "--messages", str(messages), "--keep", str(text)]
    return await _load(bench, server.pid, options)


async def _node(bench: Bench, url: str, pid: int, messages: int, text: Path) -> Run:
    root = url.replace("ws:", "http:")
    options = [f"{root}/", "--drive", f"{root}/drive", "--echo", "--text", str(text)]
    return await _load(bench, pid, [*options, "--messages", str(messages)])


def _ours_urls(server: Server) -> list[str]:
    return [f"{server.url}/stream", "--drive", f"{server.url}/ws/orders"]


async def _under_load(bench: Bench, server: Server, stalled: int) -> Run:
    options = [*_ours_urls(server), "--rate", str(RATE_PER_S), "--stalled", str(stalled)]
    orders: list[tuple[float, int]] = []
    effort = bench.effort
    seconds = max(0.5, effort.warm_up_s + effort.seconds - WARM_UP_S - LEAVING_S)

    async def place() -> None:
        run = await one_run(server.port, server.pid, seconds)
        orders.append((run.latency_ms["p99"], run.failures + run.turned_away))

    run = await _load(bench, server.pid, options, beside=place)
    p99_ms, failed = orders[0]
    return msgspec.structs.replace(run, orders_p99_ms=p99_ms, orders_failed=failed)


async def _nothing() -> None:
    pass


async def _load(
    bench: Bench,
    pid: int,
    options: list[str],
    beside: Callable[[], Awaitable[None]] = _nothing,
) -> Run:
    """Run stream_load.py, and `beside` from when everyone is subscribed."""
    effort = bench.effort
    before = resident_bytes(pid)
    command = [sys.executable, LOAD, *options, "--subscribers", str(SUBSCRIBERS)]
    command += ["--seconds", str(effort.seconds), "--warm-up", str(effort.warm_up_s)]
    async with _process(command) as (process, words), trio.open_nursery() as others:
        await _said(words, b"ready")
        others.start_soon(beside)
        memory = resident_bytes(pid) - before
        assert process.stdin is not None
        await process.stdin.send_all(b"\n")
        await _said(words, b"measuring")
        started = cpu_seconds(pid)
        line = await _said(words, b"{")
        server_s = cpu_seconds(pid) - started
    run = msgspec.json.decode(line, type=Run)
    return msgspec.structs.replace(
        run, server_s=server_s, subscriber_kib=memory / 1024 / SUBSCRIBERS
    )


@asynccontextmanager
async def _process(
    command: list[str],
) -> AsyncGenerator[tuple[trio.Process, trio.MemoryReceiveChannel[bytes]]]:
    """The load, and the lines that it prints; killed afterwards."""
    process = await trio.lowlevel.open_process(command, cwd=CHECKOUT, stdin=-1, stdout=-1)
    send, words = trio.open_memory_channel[bytes](10)

    async def read() -> None:
        assert process.stdout is not None
        rest = b""
        async with send:
            async for data in process.stdout:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    await send.send(line)

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            yield process, words
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def _said(words: trio.MemoryReceiveChannel[bytes], beginning: bytes) -> bytes:
    try:
        line = await words.receive()
    except trio.EndOfChannel:
        raise LoadRefused("the subscribers gave up: see above") from None
    assert line.startswith(beginning), line
    return line


def _result(runs: dict[int, dict[str, list[Run]]], loads: dict[str, list[Run]]) -> Result:
    targets = [_cost(messages, of) for messages, of in runs.items()]
    alone, stalled = loads.values()
    targets += _under_load_targets(alone, stalled)
    kib = max(run.subscriber_kib for of in runs.values() for run in of[OURS])
    targets.append(
        Target(
            what="memory of the server, a subscriber",
            target=f"≤ {SUBSCRIBER_KIB_MAX:.0f} KiB",
            measured=f"{kib:.1f} KiB",
            holds=kib <= SUBSCRIBER_KIB_MAX,
        )
    )
    head = ("who delivers", "messages a send", "bytes", "deliveries per server-CPU second", "× ws")
    rows = [
        (
            name,
            str(messages),
            f"{median(run.message_bytes for run in mine):.0f}",
            f"{median(run.per_cpu_s for run in mine):,.0f}",
            f"{_ratio(mine, of[BROADCAST]):.2f}",
        )
        for messages, of in runs.items()
        for name, mine in of.items()
    ]
    load_head = ("subscribers", "stream p50 ms", "p99 ms", "p99.9 ms", "orders p99 ms")
    load_rows = [
        (name, *(f"{median(getattr(r, p) for r in of):.2f}" for p in LOAD_FIGURES))
        for name, of in loads.items()
    ]
    return Result(
        name=NAME,
        title=TITLE,
        targets=targets,
        method=METHOD,
        tables=[Table(head, rows), Table(load_head, load_rows)],
    )


LOAD_FIGURES = ("p50_ms", "p99_ms", "p999_ms", "orders_p99_ms")


def _ratio(mine: list[Run], node: list[Run]) -> float:
    return median_ratio([run.per_cpu_s for run in mine], [run.per_cpu_s for run in node])


def _cost(messages: int, of: dict[str, list[Run]]) -> Target:
    ratio = _ratio(of[OURS], of[BROADCAST])
    what = "a message" if messages == 1 else f"{messages} messages"
    return Target(
        what=f"deliveries per server-CPU second, {what} a send, {SUBSCRIBERS:,} subscribers ÷ "
        "Node `ws` broadcasting",
        target=f"≥ {RATIO_MIN[messages]}",
        measured=f"{ratio:.2f} ({median(run.per_cpu_s for run in of[OURS]):,.0f})",
        holds=ratio >= RATIO_MIN[messages],
    )


def _under_load_targets(alone: list[Run], stalled: list[Run]) -> list[Target]:
    stream, orders = (median(getattr(r, p) for r in alone) for p in ("p99_ms", "orders_p99_ms"))
    slower = max(
        median_ratio([getattr(r, p) for r in stalled], [getattr(r, p) for r in alone])
        for p in ("p99_ms", "orders_p99_ms")
    )
    failed = sum(run.orders_failed for run in (*alone, *stalled))
    return [
        Target(
            what=f"{RATE_PER_S} messages/s to {SUBSCRIBERS:,} subscribers beside 2,000 orders/s",
            target=f"p99 ≤ {STREAM_P99_MS_MAX:.0f} ms, orders' p99 ≤ {ORDERS_P99_MS_MAX:.0f} ms, "
            "none failed",
            measured=f"p99 {stream:.1f} ms, orders' p99 {orders:.1f} ms, {failed} failed",
            holds=stream <= STREAM_P99_MS_MAX and orders <= ORDERS_P99_MS_MAX and not failed,
        ),
        Target(
            what=f"the same p99s with {STALLED:,} stalled subscribers ÷ without",
            target=f"≤ {STALLED_RATIO_MAX:.0f}",
            measured=f"{slower:.2f}",
            holds=slower <= STALLED_RATIO_MAX,
        ),
    ]
