"""Measure `POST /orders`: one order a request, one request at a time on each connection, durable.

    python bench/order_entry.py [--seconds 10] [--connections 32] [--url http://127.0.0.1:8000]

Starts a server of its own (limits, order log and snapshots as configured by default) unless a URL
is given. The client is one epoll loop over raw sockets in this process; the server is another one.
It is a closed loop: a connection sends its next order when the reply to the last has come, so the
latencies are those of a server at its limit, and say nothing of a rate below it.

About half of the orders trade, the others rest. Every connection is a client of its own. Checked
afterwards: the log has grown by one record for every order that was acknowledged.
"""

import argparse
import gc
import os
import platform
import random
import re
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio

from tradeclear.testing.server import Connection, running_server

INSTRUMENT: Final = "BTC-USD"
MID_CENTS: Final = 7_000_000
RECEIVE_BYTES: Final = 65_536
DRAIN_S_MAX: Final = 5.0
PATTERNS: Final = 4_096
"""So many pairs of side, price and quantity are drawn beforehand and used in turn."""

_length = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@dataclass(slots=True)
class Figures:
    """What was measured, the warm-up left out."""

    seconds: float = 0.0
    client_cpu_s: float = 0.0
    server_cpu_s: float = 0.0
    statuses: Counter[bytes] = field(default_factory=Counter)
    traded: int = 0
    latencies_ns: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Lane:
    """One connection: its socket, what has come of the reply, when its order was sent."""

    socket: socket.socket
    client_id: str
    received: bytes = b""
    sent_ns: int = 0


class Load:
    """Keeps one order in flight on every connection."""

    def __init__(
        self, host: str, port: int, connections: int, seed: int, server_pid: int | None
    ) -> None:
        self._server_pid = server_pid
        self._head = f"POST /orders HTTP/1.1\r\nHost: {host}:{port}\r\n"
        self._orders = order_bodies(random.Random(seed))
        self._poll = select.epoll()
        self._lanes: dict[int, Lane] = {}
        self.acknowledged = 0
        for number in range(connections):
            connected = socket.create_connection((host, port))
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._lanes[connected.fileno()] = Lane(connected, f"bench-{number}")
            self._poll.register(connected, select.EPOLLIN)

    def run(self, warm_up_s: float, seconds: float) -> Figures:
        """Load the server, measure for `seconds`, wait for what is in flight."""
        for lane in self._lanes.values():
            self._send(lane)
        self._turn_until(time.perf_counter() + warm_up_s, Figures())
        figures = Figures()
        started, cpu, server_cpu = time.perf_counter(), time.process_time(), self._server_cpu_s()
        self._turn_until(started + seconds, figures)
        figures.seconds = time.perf_counter() - started
        figures.client_cpu_s = time.process_time() - cpu
        figures.server_cpu_s = self._server_cpu_s() - server_cpu
        self._drain()
        return figures

    def _server_cpu_s(self) -> float:
        return 0.0 if self._server_pid is None else cpu_seconds(self._server_pid)

    def _turn_until(self, end: float, figures: Figures) -> None:
        lanes, poll = self._lanes, self._poll
        while time.perf_counter() < end:
            for number, _ in poll.poll(0.1):
                lane = lanes[number]
                if self._receive(lane, figures):
                    self._send(lane)

    def _drain(self) -> None:
        waiting = set(self._lanes)
        end = time.perf_counter() + DRAIN_S_MAX
        while waiting:
            if time.perf_counter() > end:
                raise SystemExit(f"{len(waiting)} orders were not answered in {DRAIN_S_MAX} s")
            for number, _ in self._poll.poll(0.1):
                if self._receive(self._lanes[number], Figures()):
                    waiting.discard(number)
        for lane in self._lanes.values():
            lane.socket.close()

    def _send(self, lane: Lane) -> None:
        body = next(self._orders) % lane.client_id.encode()
        request = f"{self._head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        lane.sent_ns = time.perf_counter_ns()
        lane.socket.sendall(b"%s\r\n%s" % (request.encode(), body))

    def _receive(self, lane: Lane, figures: Figures) -> bool:
        """Take what has come; whether the reply is whole (then it is counted)."""
        data = lane.socket.recv(RECEIVE_BYTES)
        if not data:
            raise SystemExit(f"the server closed a connection; before: {lane.received!r}")
        reply = lane.received + data
        end = reply.find(b"\r\n\r\n")
        length = _length.search(reply, 0, end + 4) if end >= 0 else None
        if length is None or len(reply) < end + 4 + int(length[1]):
            lane.received = reply
            return False
        figures.latencies_ns.append(time.perf_counter_ns() - lane.sent_ns)
        lane.received = b""
        status = reply[9:12]
        figures.statuses[status] += 1
        self.acknowledged += status == b"201"
        figures.traded += b'"trades":[]' not in reply
        return True


def order_bodies(draw: random.Random) -> Iterator[bytes]:
    """Bodies of orders, one after the other, %s where the client's id goes."""
    patterns = []
    for _ in range(PATTERNS):
        side = draw.choice(["buy", "sell"])
        away = round(draw.gauss(0, 60))
        price = MID_CENTS + (-away if side == "buy" else away)
        quantity = draw.randint(1, 200_000)
        patterns.append(
            f'"instrument":"{INSTRUMENT}","side":"{side}","type":"limit","price":{price // 100}.'
            f'{price % 100:02},"quantity":{quantity // 100_000}.{quantity % 100_000:05}}}'.encode()
        )
    run = f"{draw.getrandbits(32):08x}".encode()
    for number in count():
        yield b'{"idempotency_key":"k%d","order_id":"%s-%d","client_id":"%%s",%s' % (
            number,
            run,
            number,
            patterns[number % PATTERNS],
        )


async def log_sequence(host: str, port: int) -> int:
    """Sequence of the last durable record."""
    async with await Connection.open(host, port) as connection:
        reply = await connection.request("GET", f"/orderbook?instrument={INSTRUMENT}&levels=1")
    sequence = reply.json()["sequence"]
    assert isinstance(sequence, int)
    return sequence


async def measure(
    host: str, port: int, options: argparse.Namespace, server_pid: int | None = None
) -> tuple[Figures, int]:
    """Load the server. Returns the figures and how many records the log has too few or many."""
    before = await log_sequence(host, port)
    load = Load(host, port, options.connections, options.seed, server_pid)
    gc.collect()
    gc.disable()
    figures = await trio.to_thread.run_sync(load.run, options.warm_up, options.seconds)
    gc.enable()
    after = await log_sequence(host, port)
    return figures, after - before - load.acknowledged


def report(figures: Figures, surplus: int) -> bool:
    """Print it; whether every order was acknowledged and is in the log."""
    latencies = sorted(figures.latencies_ns)
    total = len(latencies)
    print(f"orders/s        {figures.statuses[b'201'] / figures.seconds:,.0f}")
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)):
        print(f"{name:<15} {latencies[min(total - 1, int(total * share))] / 1e6:.2f} ms")
    print(f"greatest        {latencies[-1] / 1e6:.2f} ms")
    print(
        f"orders          {total:,} in {figures.seconds:.1f} s; {figures.traded / total:.0%} traded"
    )
    others = {code.decode(): n for code, n in figures.statuses.items() if code != b"201"}
    print(f"other replies   {others or 'none'}")
    print(f"log             {'one record an order' if not surplus else f'{surplus:+} records'}")
    cpu = f"client {figures.client_cpu_s / figures.seconds:.0%}"
    if figures.server_cpu_s:
        cpu += f", server {figures.server_cpu_s / figures.seconds:.0%} of a core"
    print(f"CPU             {cpu}")
    return not others and not surplus


def conditions(wal_dir: Path | None, options: argparse.Namespace) -> None:
    """Print what the figure depends on."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    cores = len(os.sched_getaffinity(0))
    print(f"machine         {cores} x {model[1] if model else '?'}, load {os.getloadavg()[0]:.2f}")
    print(f"software        Python {platform.python_version()}, Linux {platform.release()}")
    if wal_dir is not None:
        print(f"log             on {file_system(wal_dir)}, rate limits and order log on")
    print(
        f"load            {options.connections} connections, closed loop, 1 order a request, "
        f"warm-up {options.warm_up:g} s, seed {options.seed}"
    )


def file_system(folder: Path) -> str:
    """Type of the file system that `folder` lies on."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    holding = [m for m in mounts if folder.resolve().is_relative_to(m[1])]
    return max(holding, key=lambda m: len(m[1]))[2]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(options: argparse.Namespace) -> bool:
    if options.url:
        address = urlsplit(options.url)
        conditions(None, options)
        return report(*await measure(address.hostname or "127.0.0.1", address.port or 80, options))
    async with running_server(environment={}, home=options.home) as server:
        conditions(server.wal_dir, options)
        return report(*await measure(server.host, server.port, options, server.pid))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--url", help="a running server; none: start one")
    parser.add_argument("--home", type=Path, help="folder of the own server (a temporary one)")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=2, help="seconds that don't count")
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(0 if trio.run(partial(run, parser.parse_args())) else 1)


if __name__ == "__main__":
    main()
