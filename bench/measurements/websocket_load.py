"""Load a WebSocket with orders: so many in flight on each connection, a message a text frame.

    python bench/measurements/websocket_load.py http://127.0.0.1:8000/ws/orders orders.jsonl

Sends `{"id":1,"op":"place",…}`, the orders being the file's lines in turn, and takes any message
that begins with `{"id":1` for the answer to it. Prints one line of JSON. It is one epoll loop over
raw sockets, and works in strokes: all frames of one receive are answered by one send.
"""

import argparse
import base64
import gc
import json
import os
import re
import select
import socket
import sys
from array import array
from pathlib import Path
from time import perf_counter, perf_counter_ns, process_time
from urllib.parse import urlsplit

RECEIVE_BYTES = 262_144
NS_PER_S = 1_000_000_000
NO_MASK = bytes(4)
TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A

_answer = re.compile(rb'\{"id":(\d+)(?:,"status":(\d+))?')


class Closed(Exception):
    """The server ended a connection, or would not have it."""


class Lane:
    """A connection after its handshake."""

    __slots__ = ("received", "socket")

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.received = b""


class WebSocketLoad:
    """Keeps `in_flight` orders under way on every connection until the time is over."""

    def __init__(self, url: str, bodies: list[str], *, connections: int, in_flight: int) -> None:
        self._tails = [f',"op":"place",{body[1:]}'.encode() for body in bodies]
        self._in_flight = in_flight
        self._poll = select.epoll()
        self._lanes: dict[int, Lane] = {}
        self._sent_ns = array("q")
        self._end_ns = 0
        self._open = 0
        self.latencies_ns = array("q")
        self.answered = 0
        self.refused = 0
        for _ in range(connections):
            connected = connect(url)
            self._lanes[connected.fileno()] = Lane(connected)
            self._poll.register(connected, select.EPOLLIN)

    def run(self, warm_up_s: float, seconds: float) -> tuple[float, float]:
        """Returns the seconds that were measured and this process's processor time in them."""
        self._end_ns = perf_counter_ns() + round((warm_up_s + seconds) * NS_PER_S)
        for lane in self._lanes.values():
            self._send(lane, self._in_flight)
        self._turn_until(perf_counter_ns() + round(warm_up_s * NS_PER_S))
        del self.latencies_ns[:]
        started, cpu = perf_counter(), process_time()
        self._turn_until(self._end_ns)
        figures = perf_counter() - started, process_time() - cpu
        measured = len(self.latencies_ns)
        while self._open:
            self._turn(1.0)
        del self.latencies_ns[measured:]
        return figures

    def _turn_until(self, end_ns: int) -> None:
        while perf_counter_ns() < end_ns:
            self._turn(0.05)

    def _turn(self, wait_s: float) -> None:
        for descriptor, _ in self._poll.poll(wait_s):
            lane = self._lanes[descriptor]
            count = self._receive(lane)
            if count and perf_counter_ns() < self._end_ns:
                self._send(lane, count)

    def _send(self, lane: Lane, count: int) -> None:
        first, tails = len(self._sent_ns), self._tails
        patterns = len(tails)
        numbers = range(first, first + count)
        frames = [frame(TEXT, b'{"id":%d%b' % (n, tails[n % patterns])) for n in numbers]
        self._sent_ns.extend([perf_counter_ns()] * count)
        self._open += count
        lane.socket.sendall(b"".join(frames))

    def _receive(self, lane: Lane) -> int:
        """Take what has come. Returns how many orders it answers."""
        data = lane.socket.recv(RECEIVE_BYTES)
        if not data:
            raise Closed("the server closed a connection")
        now_ns = perf_counter_ns()
        count = 0
        messages, lane.received = take_frames(lane.received + data)
        for opcode, payload in messages:
            if opcode in (TEXT, BINARY):
                self._note(payload, now_ns)
                count += 1
            elif opcode == PING:
                lane.socket.sendall(frame(PONG, payload))
            elif opcode == CLOSE:
                raise Closed(f"the server closed a connection: {payload!r}")
        self._open -= count
        self.answered += count
        return count

    def _note(self, payload: bytes, now_ns: int) -> None:
        found = _answer.match(payload)
        if found is None:
            raise Closed(f"no answer to an order: {payload[:200]!r}")
        self.latencies_ns.append(now_ns - self._sent_ns[int(found[1])])
        status = found[2]
        self.refused += status is not None and status != b"201"


def connect(url: str) -> socket.socket:
    """A connection that has become a WebSocket. Raises `Closed`."""
    address = urlsplit(url)
    connected = socket.create_connection((address.hostname or "", address.port or 80))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET {address.path or '/'} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    connected.sendall(request.encode())
    reply = b""
    while not reply.endswith(b"\r\n\r\n"):
        byte = connected.recv(1)  # not one byte of the first frame
        if not byte:
            break
        reply += byte
    status = reply.split(b"\r\n", 1)[0].decode("latin-1")
    if " 101" not in status:
        raise Closed(f"{url}: no WebSocket: {status or 'connection closed'}")
    return connected


def frame(opcode: int, payload: bytes) -> bytes:
    """A client's frame, up to 65,535 bytes. The mask is all zeros: the payload stays as it is."""
    length = len(payload)
    if length < 126:
        return b"%c%c%b%b" % (opcode, 0x80 | length, NO_MASK, payload)
    return b"%c\xfe%b%b%b" % (opcode, length.to_bytes(2, "big"), NO_MASK, payload)


def take_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames of a server in `data`, as (first byte, payload), and what is left."""
    frames: list[tuple[int, bytes]] = []
    at, size = 0, len(data)
    while at + 2 <= size:  # a header that is cut off makes an end that lies beyond the data
        length, start = data[at + 1], at + 2
        if length == 126:
            length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
        elif length == 127:
            length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
        end = start + length
        if end > size:
            break
        frames.append((data[at], data[start:end]))
        at = end
    return frames, data[at:]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url")
    parser.add_argument("bodies", type=Path, help="bodies of orders, one a line")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--in-flight", type=int, default=64, help="orders, on each connection")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=2)
    options = parser.parse_args()
    bodies = options.bodies.read_text(encoding="utf-8").splitlines()
    try:
        load = WebSocketLoad(
            options.url, bodies, connections=options.connections, in_flight=options.in_flight
        )
        gc.disable()
        seconds, cpu_s = load.run(options.warm_up, options.seconds)
    except (Closed, OSError) as error:
        sys.exit(f"websocket_load.py: {error}")
    latencies = sorted(load.latencies_ns)
    count = len(latencies)
    figures = {
        "messages": count,
        "seconds": seconds,
        "refused": load.refused,
        "answered": load.answered,
    }
    for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999)):
        figures[name] = latencies[min(count - 1, int(count * share))] / 1e6
    figures["client_share"] = cpu_s / seconds
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
