"""Subscribe to a stream many times, cause messages, and count and time what arrives.

    python bench/measurements/stream_load.py ws://127.0.0.1:8000/stream --drive ws://…/ws/orders

Every subscriber listens to the trades of one instrument. A round is one message of the driver: an
array of orders that trade one by one, each of which is one message to every subscriber. Without
`--rate` the next round begins when everyone has heard the last one; with it, when it is due.
With `--echo` the driver sends the texts themselves, for a server that broadcasts them.
One epoll loop over raw sockets; prints one line of JSON.
"""

import argparse
import gc
import json
import os
import resource
import select
import socket
import sys
from array import array
from pathlib import Path
from time import perf_counter, perf_counter_ns, process_time

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measurements.websocket_load import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    Closed,
    connect,
    frame,
    take_frames,
)

RECEIVE_BYTES = 262_144
NS_PER_S = 1_000_000_000
PATIENCE_S = 10.0
SUBSCRIBE = {"op": "subscribe", "channels": ["trades"]}
SHOWN = (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999))


class Listener:
    """A subscriber. `heard`: messages since it was live."""

    __slots__ = ("heard", "received", "socket")

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.received = b""
        self.heard = 0


class StreamLoad:
    """`subscribers` connections, and one more that causes messages, `messages` at a time."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.poll = select.epoll()
        self.listeners: dict[int, Listener] = {}
        self.latencies_ns = array("q")
        self.bytes = 0
        self.deliveries = 0
        self.sample = b""
        self.rounds = 0
        self.waiting = 0
        self.sent_ns: list[int] = []
        for _ in range(options.subscribers):
            self.subscribe(options.url)
            self.turn(0)  # pings are answered meanwhile
        self.stalled: list[socket.socket] = []
        self.driver = connect(options.drive)
        self.text = Path(options.text).read_text("utf-8") if options.echo else ""
        if not options.echo:
            self.order(0, side="sell", price="1", quantity="1000")

    def subscribe(self, url: str) -> None:
        """One more subscriber, live when this returns."""
        connected = connect(url)
        if not self.options.echo:
            wanted = {**SUBSCRIBE, "instrument": self.options.instrument}
            connected.sendall(frame(TEXT, json.dumps(wanted).encode()))
            said = b""
            while b'"type":"live"' not in said:
                more = connected.recv(RECEIVE_BYTES)
                if not more:
                    raise Closed("the server closed a connection")
                said += more
        connected.setblocking(False)
        self.listeners[connected.fileno()] = Listener(connected)
        self.poll.register(connected, select.EPOLLIN)

    def stall(self) -> None:
        """Subscribers that never read."""
        wanted = {**SUBSCRIBE, "instrument": self.options.instrument}
        for _ in range(self.options.stalled):
            connected = connect(self.options.url)
            connected.sendall(frame(TEXT, json.dumps(wanted).encode()))
            self.stalled.append(connected)
            self.turn(0)

    def order(self, count: int, **changes: str) -> None:
        """`count` buys that trade with the one sell, or that sell."""
        base = {"op": "place", "client_id": "bench", "instrument": self.options.instrument}
        orders = [{**base, "type": "limit", **changes}] if changes else []
        for _ in range(count):
            self.rounds += 1
            buy = {"order_id": f"{os.getpid()}-{self.rounds}", "side": "buy", "type": "market"}
            orders.append({**base, **buy, "quantity": "0.00001"})
        self.driver.sendall(frame(TEXT, json.dumps(orders).encode()))

    def send_round(self) -> None:
        """Cause the next messages."""
        count = self.options.messages
        self.sent_ns.append(perf_counter_ns())
        self.waiting += count * len(self.listeners)
        if self.options.echo:
            self.driver.sendall(frame(TEXT, json.dumps([self.text] * count).encode()))
        else:
            self.order(count)
            self.driver.recv(RECEIVE_BYTES)

    def run(self, seconds: float) -> None:
        """Round after round, for so long."""
        end = perf_counter() + seconds
        period = 1 / self.options.rate if self.options.rate else 0.0
        due = perf_counter()
        while perf_counter() < end:
            self.send_round()
            due += period
            while self.waiting and (not period or perf_counter() < due):
                self.turn(max(0.0, due - perf_counter()) if period else PATIENCE_S)
            while period and (left := due - perf_counter()) > 0:
                self.turn(left)
        until = perf_counter() + PATIENCE_S
        while self.waiting and perf_counter() < until:
            self.turn(1.0)
        if self.waiting:
            raise Closed(f"{self.waiting:,} deliveries never came")

    def turn(self, wait_s: float) -> None:
        ready = self.poll.poll(wait_s)
        for descriptor, _ in ready:
            self.receive(self.listeners[descriptor])
        if not ready and wait_s >= PATIENCE_S:
            raise Closed(f"{self.waiting:,} deliveries never came")

    def receive(self, listener: Listener) -> None:
        data = listener.socket.recv(RECEIVE_BYTES)
        now_ns = perf_counter_ns()
        if not data:
            raise Closed("the server closed a subscriber's connection")
        frames, listener.received = take_frames(listener.received + data)
        for opcode, payload in frames:
            if opcode == TEXT:
                number = listener.heard // self.options.messages
                listener.heard += 1
                self.latencies_ns.append(now_ns - self.sent_ns[number])
                self.waiting -= 1
                self.deliveries += 1
                self.bytes += len(payload)
                self.sample = payload
            elif opcode == PING:
                listener.socket.sendall(frame(PONG, payload))
            elif opcode == CLOSE:
                raise Closed(f"the server closed a connection: {payload!r}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("url")
    add("--drive", required=True, help="where orders, or with --echo texts, are sent")
    add("--echo", action="store_true")
    add("--text", default="", help="file of the text to send with --echo")
    add("--keep", default="", help="write a message that came to this file")
    add("--instrument", default="ETH-USD")
    add("--subscribers", type=int, default=1000)
    add("--stalled", type=int, default=0, help="so many more that never read")
    add("--messages", type=int, default=1, help="in each round")
    add("--rate", type=float, default=0.0, help="rounds a second; 0: as fast as they are heard")
    add("--seconds", type=float, default=10)
    add("--warm-up", type=float, default=1)
    options = parser.parse_args()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        load = StreamLoad(options)
        gc.disable()
        print("ready", flush=True)
        sys.stdin.readline()  # whoever started this measures from here on
        load.run(options.warm_up)
        load.stall()
        del load.latencies_ns[:]
        load.deliveries = load.bytes = 0
        print("measuring", flush=True)
        started, cpu = perf_counter(), process_time()
        load.run(options.seconds)
        seconds, cpu_s = perf_counter() - started, process_time() - cpu
    except (Closed, OSError) as error:
        sys.exit(f"stream_load.py: {error}")
    if options.keep:
        Path(options.keep).write_bytes(load.sample)
    latencies = sorted(load.latencies_ns)
    figures = {
        "deliveries": load.deliveries,
        "seconds": seconds,
        "message_bytes": load.bytes / max(1, load.deliveries),
        "client_share": cpu_s / seconds,
    }
    for name, share in SHOWN:
        figures[name] = latencies[min(len(latencies) - 1, int(len(latencies) * share))] / 1e6
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
