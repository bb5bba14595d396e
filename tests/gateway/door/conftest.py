"""Both doors on loopback, a reactor alone, and clients that speak to them in bytes."""

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

import pytest
import trio
import trio.testing

from tradeclear.gateway.connection import Timeouts
from tradeclear.gateway.door.client import Client
from tradeclear.gateway.door.peer import Peer
from tradeclear.gateway.door.reactor import Bounds, Reactor
from tradeclear.gateway.door.server import serve_front_door
from tradeclear.gateway.rate_limits import RateLimits, TokenBuckets
from tradeclear.gateway.server import HttpServer, serve

PATIENCE_S = 10
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
BOUNDS = Bounds(
    header_bytes_max=16_384,
    body_bytes_max=1_048_576,
    header_timeout_s=10,
    body_timeout_s=10,
    write_timeout_s=10,
    keep_alive_timeout_s=75,
)


class Reply(NamedTuple):
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        return json.loads(self.body)


class Wire:
    """The client's end of a connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.data = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def pour(self, data: bytes) -> None:
        """Send as much as the server ever takes."""
        with suppress(trio.BrokenResourceError):
            await self.stream.send_all(data)

    def send_now(self, data: bytes) -> None:
        """Without letting the server run meanwhile."""
        assert self.stream.socket._sock.send(data) == len(data)  # type: ignore[attr-defined]

    async def reply(self, *, head_only: bool = False) -> Reply:
        """The next response."""
        head = await self.until(b"\r\n\r\n")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            assert name.lower() not in headers, f"{name} is there twice"
            headers[name.lower()] = value.strip()
        status = int(first.split(" ")[1])
        bodiless = head_only or status < 200
        return Reply(
            status,
            headers,
            b"" if bodiless else await self.exactly(int(headers["content-length"])),
        )

    async def until(self, mark: bytes) -> bytes:
        while mark not in self.data:
            await self._more()
        head, _, self.data = self.data.partition(mark)
        return head + mark

    async def exactly(self, size: int) -> bytes:
        while len(self.data) < size:
            await self._more()
        data, self.data = self.data[:size], self.data[size:]
        return data

    async def _more(self) -> None:
        with trio.fail_after(PATIENCE_S):
            more = await self.stream.receive_some(65_536)
        assert more, f"the server closed the connection after {self.data!r}"
        self.data += more

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        with trio.fail_after(PATIENCE_S):
            try:
                while more := await self.stream.receive_some(65_536):
                    self.data += more
            except trio.BrokenResourceError:
                pass
        data, self.data = self.data, b""
        return data

    async def ended(self) -> bool:
        """Whether the server closes without another byte."""
        return await self.rest() == b""

    async def frame(self) -> tuple[int, bytes]:
        """The next WebSocket frame: opcode and payload."""
        first, size = await self.exactly(2)
        assert first & 0xF0 == 0x80, "a server's frames are whole, without extensions"
        if size >= 126:
            assert size < 128, "a server's frames are not masked"
            size = int.from_bytes(await self.exactly(2 if size == 126 else 8), "big")
        return first & 0x0F, await self.exactly(size)

    async def message(self) -> tuple[int, bytes]:
        """The next frame that is not a ping."""
        while True:
            opcode, payload = await self.frame()
            if opcode != 9:
                return opcode, payload

    async def told(self) -> Any:
        """The JSON of the next text."""
        opcode, payload = await self.message()
        assert opcode == 1, (opcode, payload)
        return json.loads(payload)

    async def closed(self) -> int:
        """The code with which the server closes, after which it closes the connection."""
        opcode, payload = await self.message()
        assert opcode == 8, (opcode, payload)
        assert await self.ended()
        return int.from_bytes(payload[:2], "big")

    async def shake_hands(self) -> None:
        await self.send(
            b"GET /ws/orders HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % KEY
        )
        reply = await self.reply()
        assert reply.status == 101
        assert reply.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


class Running:
    """A door that serves a house."""

    def __init__(self, house: Any, front: bool) -> None:
        self.house = house
        self.front = front
        self.shutdown = trio.Event()
        self.stopped = trio.Event()
        self.scope = trio.CancelScope()
        self.wires: list[Wire] = []
        self.port = 0

    async def connect(self) -> Wire:
        wire = Wire(await trio.open_tcp_stream("127.0.0.1", self.port))
        self.wires.append(wire)
        return wire

    async def socket(self) -> Wire:
        """A WebSocket on which orders can be sent."""
        wire = await self.connect()
        await wire.shake_hands()
        return wire

    async def ask(self, request: bytes) -> bytes:
        """Send `request` on a connection of its own; everything that comes back until it ends."""
        wire = await self.connect()
        await wire.send(request)
        return await wire.rest()

    async def assert_serving(self) -> None:
        """A bystander is served as ever, at either door."""
        wire = await self.connect()
        body = b'{"client_id":"bystander","side":"sell","price":999999,"quantity":1}'
        await wire.send(
            b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        assert (await wire.reply()).status == 201
        await wire.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await wire.reply()).status == 200
        await wire.stream.aclose()


def rate_limits(clock: Callable[[], float] = monotonic, **settings: float) -> RateLimits:
    return RateLimits(
        client=TokenBuckets(
            rate_per_s=settings.get("client_rate_per_s", 0),
            burst=int(settings.get("client_burst", 1)),
            clock=clock,
        ),
        address=TokenBuckets(
            rate_per_s=settings.get("address_rate_per_s", 0),
            burst=int(settings.get("address_burst", 1)),
            clock=clock,
        ),
    )


async def _serve(running: Running, settings: dict[str, Any], task_status: Any) -> None:
    bounds = {name: settings.pop(name, getattr(BOUNDS, name)) for name in BOUNDS.__struct_fields__}
    limits = settings.pop("limits", None) or rate_limits()
    common = {
        "host": "127.0.0.1",
        "port": 0,
        "shutdown": running.shutdown,
        "shutdown_timeout_s": settings.pop("shutdown_timeout_s", 5.0),
        "connections_max": settings.pop("connections_max", 100),
    }
    house = running.house
    app = settings.pop("app", None) or house.app(
        limits=limits,
        body_bytes_max=bounds["body_bytes_max"],
        body_timeout_s=bounds["body_timeout_s"],
    )
    assert not settings, settings
    times = {
        "header_timeout_s": bounds["header_timeout_s"],
        "write_timeout_s": bounds["write_timeout_s"],
        "keep_alive_timeout_s": bounds["keep_alive_timeout_s"],
    }
    head = {"header_bytes_max": bounds["header_bytes_max"]}
    if not running.front:
        await serve(app, **common, **times, **head, task_status=task_status)
        return
    timeouts = Timeouts(
        keep_alive_s=times["keep_alive_timeout_s"],
        head_s=times["header_timeout_s"],
        write_s=times["write_timeout_s"],
    )
    behind = HttpServer(app, timeouts=timeouts, connections_max=common["connections_max"], **head)
    await serve_front_door(
        behind,
        house.exchange,
        limits,
        house.metrics,
        bounds=Bounds(**bounds),
        **common,
        task_status=task_status,
    )


@pytest.fixture
async def start_door(house: Any) -> AsyncIterator[Callable[..., Any]]:
    """`await start_door(front=…, house=…, **settings)` serves on loopback until the test ends."""
    async with trio.open_nursery() as nursery:
        doors: list[Running] = []

        async def start(*, front: bool = True, house: Any = house, **settings: Any) -> Running:
            running = Running(house, front)

            async def run(task_status: Any) -> None:
                with running.scope:
                    await _serve(running, settings, task_status)
                running.stopped.set()

            url = await nursery.start(run)
            running.port = int(url.rpartition(":")[2])
            doors.append(running)
            return running

        yield start
        for door in doors:
            for wire in door.wires:
                await trio.aclose_forcefully(wire.stream)
            door.shutdown.set()
        with trio.fail_after(PATIENCE_S):
            for door in doors:
                await door.stopped.wait()


@pytest.fixture
async def door(start_door: Any) -> Running:
    """The front door."""
    running: Running = await start_door()
    return running


@pytest.fixture(params=["front door", "no front door"])
async def either_door(start_door: Any, request: Any) -> Running:
    """One door, then the other."""
    running: Running = await start_door(front=request.param == "front door")
    return running


class Hold:
    """Keeps a log's commits waiting, until `release`."""

    def __init__(self, log: Any) -> None:
        self._append = log.append
        self._open = threading.Event()
        self.commits = 0
        log.append = self._wait

    def _wait(self, first_seq: int, records: list[bytes]) -> int:
        self.commits += 1
        assert self._open.wait(PATIENCE_S)
        size: int = self._append(first_seq, records)
        return size

    def release(self) -> None:
        self._open.set()


@pytest.fixture
def hold(house: Any) -> Iterator[Hold]:
    """The house's log, holding every commit back from now on."""
    hold = Hold(house.log)
    yield hold
    hold.release()


@pytest.fixture
def hold_log() -> Callable[[Any], Hold]:
    """`hold_log(house.log)` for a house of the test's own."""
    return Hold


# A reactor alone


class Begun(NamedTuple):
    """A request as whoever answers is given it."""

    slot: Any
    head: Any
    body: bytes


class Desk:
    """Who answers: the test, when it likes, or at once with `at_once`."""

    def __init__(self) -> None:
        self.begun: list[Begun] = []
        self.at_once = b""

    def begin(self, slot: Any, head: Any, body: bytes) -> None:
        self.begun.append(Begun(slot, head, body))
        if self.at_once:
            slot.fill(self.at_once)

    def too_slow(self, what: str, seconds: float) -> bytes:
        return response(b"%b took more than %g s" % (what.encode(), seconds), 408)

    def outcome_unknown(self) -> bytes:
        return response(b"unknown", 503)


def response(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


class Plug:
    """A connection whose other end the reactor serves."""

    def __init__(self, wire: Wire, stream: trio.SocketStream, peer: Peer[Any]) -> None:
        self.wire = wire
        self.stream = stream
        self.peer: Any = peer
        self.outcome: Any = None
        self.scope = trio.CancelScope()
        self._done = trio.Event()

    async def serve(self, reactor: Reactor) -> None:
        async with self.stream:
            with self.scope:
                self.outcome = await reactor.serve(self.peer)
        self._done.set()

    async def ended(self) -> Any:
        with trio.fail_after(PATIENCE_S):
            await self._done.wait()
        return self.outcome


class Rig:
    """A reactor with a desk behind it."""

    def __init__(self, nursery: trio.Nursery, **bounds: float) -> None:
        self.nursery = nursery
        self.plugs: list[Plug] = []
        self.desk = Desk()
        given: dict[str, Any] = {**{n: getattr(BOUNDS, n) for n in BOUNDS.__struct_fields__}}
        self.reactor = Reactor(self.desk, Bounds(**{**given, **bounds}))
        nursery.start_soon(self.reactor.run)

    def plug(self, make: Callable[..., Peer[Any]] = Client) -> Plug:
        """Connect; served from the next checkpoint on."""
        ours, theirs = trio.socket.socketpair()
        stream = trio.SocketStream(theirs)
        peer = make(self.reactor, stream, "127.0.0.1")
        plug = Plug(Wire(trio.SocketStream(ours)), stream, peer)
        self.plugs.append(plug)
        self.nursery.start_soon(plug.serve, self.reactor)
        return plug

    async def settle(self) -> None:
        """Until the reactor has done all there is to do. Fails if that never comes: a busy loop."""
        with trio.fail_after(PATIENCE_S):
            await trio.testing.wait_all_tasks_blocked()

    async def connect(self, make: Callable[..., Peer[Any]] = Client) -> Plug:
        plug = self.plug(make)
        await self.settle()
        return plug

    async def answer(self, *numbers: int, flush: bool = True) -> None:
        """Answer requests by their numbers, each with its number; all, if none is given."""
        for number in numbers or range(len(self.desk.begun)):
            self.desk.begun[number].slot.fill(response(b"%d" % number))
        if flush:
            self.reactor.flush()
        await self.settle()

    def idle(self, seconds: float) -> None:
        """What the sweep does after so many seconds."""
        self.reactor.now += seconds
        for peer in tuple(self.reactor._peers.values()):
            peer.check()
        self.reactor.flush()


@pytest.fixture
async def make_rig() -> AsyncIterator[Callable[..., Rig]]:
    """`make_rig(**bounds)`."""
    async with trio.open_nursery() as nursery:
        rigs: list[Rig] = []

        def make(**bounds: float) -> Rig:
            rigs.append(Rig(nursery, **bounds))
            return rigs[-1]

        yield make
        nursery.cancel_scope.cancel()
    for rig in rigs:
        for plug in rig.plugs:
            await trio.aclose_forcefully(plug.wire.stream)
        rig.reactor.close()


@pytest.fixture
def rig(make_rig: Any) -> Rig:
    made: Rig = make_rig()
    return made


@pytest.fixture
def fill_pipe() -> Callable[[Plug], bytes]:
    """Fill what the kernel takes in for a plug's client, which does not read; what it was."""

    def fill(plug: Plug) -> bytes:
        filled = b""
        socket = plug.stream.socket
        try:
            while True:
                filled += b"x" * socket._sock.send(b"x" * 65_536)
        except BlockingIOError:
            return filled

    return fill


@pytest.fixture(scope="session")
def client_frame() -> Callable[..., bytes]:
    """A client's frame, masked; `first` and `size` as they are on the wire, if they are given."""

    def make(
        opcode: int,
        payload: bytes = b"",
        *,
        final: bool = True,
        mask: bytes | None = b"\x37\xfa\x21\x3d",
    ) -> bytes:
        masked = 0 if mask is None else 0x80
        size = len(payload)
        first = bytes([(0x80 if final else 0) | opcode])
        if size < 126:
            first += bytes([masked | size])
        elif size < 65_536:
            first += bytes([masked | 126]) + size.to_bytes(2, "big")
        else:
            first += bytes([masked | 127]) + size.to_bytes(8, "big")
        if mask is None:
            return first + payload
        return first + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))

    return make
