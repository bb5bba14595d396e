"""One order on an idle server: what the way through all tasks costs over the disk's own sync."""

import secrets
import socket
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import trio
from loadtest.http1 import RequestWriter, take_replies
from loadtest.orders import balanced_orders

from measurements import disk
from measurements.bench import Bench
from measurements.exchange import exchange, log_bytes, segments, sequence
from measurements.processes import Meter
from measurements.results import Result, Table, Target
from measurements.wrk import LoadRefused
from tradeclear.testing.server import Server

NAME = "idle"
TITLE = "One order on an idle server"

OVER_DISK_MS_MAX = 1.0
PAUSE_S = 0.005

METHOD = f"""\
One connection: an order and its reply, then the disk alone (the bytes of such a record written to
a file beside the log and synced), and again, with a pause of {PAUSE_S * 1e3:g} ms before each,
so that both see the same disk. An order's time is from the request's first byte to the reply's
last. An order holds a sync of its own: were it faster than the disk, there would be no figure."""


class Pair(NamedTuple):
    """Medians of a round, in milliseconds."""

    order_ms: float
    commit_ms: float

    @property
    def over_ms(self) -> float:
        return self.order_ms - self.commit_ms

    def __str__(self) -> str:
        return f"order {self.order_ms:.3f} ms, disk {self.commit_ms:.3f} ms"


async def measure(bench: Bench) -> Result:
    with bench.home("idle") as home:
        async with exchange(home) as server:
            count = bench.effort.idle_orders
            await trio.to_thread.run_sync(pair, server, home, b"warm-up", count)
            records = await sequence(server)
            payload = segments(server)[0].read_bytes()[: round(log_bytes(server) / records)]
            run = partial(trio.to_thread.run_sync, pair, server, home, payload, count)
            with Meter(server.pid) as meter:
                runs = await bench.interleaved({"order and disk": run})
    return result_of(runs["order and disk"], meter.others_s / meter.wall_s)


def pair(server: Server, folder: Path, payload: bytes, count: int) -> Pair:
    """`count` orders and as many commits of `payload` in `folder`, one after the other."""
    writer = RequestWriter(
        f"{server.host}:{server.port}",
        [order.body() for order in balanced_orders()],
        key_prefix=secrets.token_hex(4),
    )
    orders: list[float] = []
    commits: list[float] = []
    with (
        socket.create_connection((server.host, server.port)) as connection,
        disk.CommitFile(folder) as file,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(count):
            request = writer.request(number)
            time.sleep(PAUSE_S)
            started = time.perf_counter()
            connection.sendall(request)
            status = _reply_status(connection)
            orders.append(time.perf_counter() - started)
            if status != 201:
                raise LoadRefused(f"an order was answered with {status}")
            time.sleep(PAUSE_S)
            started = time.perf_counter()
            file.commit(payload)
            commits.append(time.perf_counter() - started)
    return Pair(median(orders) * 1e3, median(commits) * 1e3)


def _reply_status(connection: socket.socket) -> int:
    data = b""
    while True:
        data += connection.recv(65_536)
        replies, _ = take_replies(data)
        if replies:
            return replies[0].status


def result_of(runs: list[Pair], others_cores: float) -> Result:
    """Raises `LoadRefused` where the disk alone was slower than an order, which syncs as well."""
    wrong = [run for run in runs if run.over_ms <= 0]
    if wrong:
        raise LoadRefused(
            f"an order was faster than the sync that is part of it ({wrong[0]}): "
            "either the reference is wrong or something was acknowledged too early"
        )
    over_ms = median(run.over_ms for run in runs)
    orders, commits = [run.order_ms for run in runs], [run.commit_ms for run in runs]
    return Result(
        name=NAME,
        title=TITLE,
        targets=[
            Target(
                what="One order on an idle server",
                target=f"p50 ≤ {OVER_DISK_MS_MAX:g} ms over the disk's own fdatasync",
                measured=f"{over_ms:.2f} ms over it ({median(orders):.2f} − {median(commits):.2f})",
                holds=over_ms <= OVER_DISK_MS_MAX,
            )
        ],
        method=METHOD,
        tables=[
            Table(
                ("", "p50 ms", "least", "greatest"),
                [
                    _row("an order, durable", orders),
                    _row("the disk's write and fdatasync", commits),
                ],
            )
        ],
        others_cores=others_cores,
    )


def _row(name: str, medians: list[float]) -> tuple[str, ...]:
    return (name, *(f"{ms:.3f}" for ms in (median(medians), min(medians), max(medians))))
