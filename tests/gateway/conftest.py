"""A whole exchange in memory, and both ways to talk to it: Quart's test client, a real socket."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx
import pytest
import trio

from tradeclear.core.engine import Engine
from tradeclear.gateway.app import App, create_app
from tradeclear.gateway.server import serve
from tradeclear.model.commands import Configure, Limits
from tradeclear.model.instrument import define_instrument
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.partition import Partition
from tradeclear.pipeline.snapshotter import SnapshotInfo, Snapshotter
from tradeclear.telemetry.metrics import Metrics
from tradeclear.wal import RecordNotFound, SnapshotFailed

START = 1_700_000_000_000_000
"""2023-11-14T22:13:20Z; every reading of the harness's clock is a second later."""


class MemoryLog:
    """The log's port, in memory; `broken` makes it fail as a disk does."""

    def __init__(self) -> None:
        self.records: dict[int, bytes] = {}
        self.broken = False

    def append(self, first_seq: int, records: list[bytes]) -> int:
        if self.broken:
            raise OSError(5, "Input/output error")
        self.records.update(enumerate(records, first_seq))
        return sum(map(len, records))

    def read(self, seq: int) -> bytes:
        try:
            return self.records[seq]
        except KeyError:
            raise RecordNotFound(f"no record {seq}", seq) from None


class MemorySnapshots:
    """The snapshot store's port; `failing` makes it say so."""

    def __init__(self) -> None:
        self.made: list[SnapshotInfo] = []
        self.failing = False

    async def make(self, seq: int) -> SnapshotInfo:
        if self.failing:
            raise SnapshotFailed("the disk is full")
        info = SnapshotInfo(
            seq=seq,
            file=f"snapshot-{seq}",
            bytes=1234,
            duration_s=0.25,
            state_hash="ab" * 16,
            created_at="2023-11-14T22:13:20.000000Z",
        )
        self.made.insert(0, info)
        return info

    async def list(self) -> list[SnapshotInfo]:
        return self.made


class House:
    """Everything of one exchange that a test may want to look at or break."""

    def __init__(self, input_channel_max: int = 10_000) -> None:
        self.metrics = Metrics()
        self.log = MemoryLog()
        self.store = MemorySnapshots()
        self.engine = Engine()
        self.now = START
        self.quarantine: set[bytes] = set()
        self.partition = Partition(
            engine=self.engine,
            log=self.log,
            clock=self._clock,
            quarantine=self.quarantine,
            metrics=self.metrics,
            input_channel_max=input_channel_max,
        )
        snapshotter = Snapshotter(
            partition=self.partition,
            store=self.store,
            interval_s=3600,
            last_seq=0,
            metrics=self.metrics,
            after=trio.lowlevel.checkpoint,
        )
        self.exchange = Exchange(self.partition, snapshotter)

    def _clock(self) -> int:
        self.now += 1_000_000
        return self.now

    async def configure(self, **limits: int) -> None:
        """Two instruments; one more that does not trade."""
        instruments = (
            define_instrument("BTC-USD"),
            define_instrument("ETH-USD", tick_size="0.05", lot_size="0.1", notional_min="1"),
            define_instrument("OLD-USD", trading=False),
        )
        await self.exchange.submit(Configure(instruments, Limits(**limits)))

    def app(self, **settings: Any) -> App:
        return create_app(self.exchange, self.metrics, **settings)


@asynccontextmanager
async def running(house: House, **limits: int) -> AsyncIterator[House]:
    """`house` with its tasks running, configured."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.partition.run)
        await house.configure(**limits)
        yield house
        house.partition.stop()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with running(House()) as house:
        yield house


@pytest.fixture
def open_house() -> Any:
    """`async with open_house(House arguments) as house`: one that may fail without the test."""

    @asynccontextmanager
    async def open_one(limits: dict[str, int] | None = None, **settings: Any) -> Any:
        async with running(House(**settings), **(limits or {})) as house:
            yield house

    return open_one


@pytest.fixture
def body() -> Any:
    """The JSON of a reply of Quart's test client, its numbers exact."""

    async def read(reply: Any) -> Any:
        return json.loads(await reply.get_data(), parse_float=Decimal)

    return read


@pytest.fixture
def problem(body: Any) -> Any:
    """The document of a problem, checked for what every problem has."""

    async def read(reply: Any, status: int, name: str) -> Any:
        told = await body(reply)
        assert (reply.status_code, told.get("name")) == (status, name)
        assert reply.content_type == "application/problem+json"
        assert told["type"] == f"urn:tradeclear:problem:{name}"
        assert told["status"] == status
        assert isinstance(told["code"], int)
        assert told["title"]
        assert told["detail"]
        return told

    return read


@pytest.fixture
def client(house: House) -> Any:
    """Quart's own test client: the app without a socket."""
    return house.app().test_client()


class Server:
    """An app on a real socket."""

    def __init__(self, url: str, house: House) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self.house = house
        self.shutdown = trio.Event()

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=10)

    async def exchange(self, request: bytes) -> bytes:
        """Send `request` on a connection of its own; everything that comes back until it ends."""
        stream = await self.connect()
        async with stream:
            await stream.send_all(request)
            return await read_all(stream)

    async def assert_serving(self) -> None:
        """A bystander is served as ever."""
        reply = await self.exchange(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert reply.startswith(b"HTTP/1.1 200 ")


async def read_all(stream: trio.SocketStream) -> bytes:
    """Until the server closes, in at most five seconds."""
    data = b""
    with trio.fail_after(5):
        try:
            while more := await stream.receive_some(65536):
                data += more
        except trio.BrokenResourceError:
            pass
    return data


ServerFactory = Callable[..., Any]


@pytest.fixture
async def start_server(house: House) -> AsyncIterator[ServerFactory]:
    """`await start_server(app=…, **limits)` serves on loopback until the test ends."""
    async with trio.open_nursery() as nursery:
        servers: list[Server] = []

        async def start(app: Any = None, **limits: Any) -> Server:
            server = Server("http://x:0", house)
            shutdown = server.shutdown

            async def run(task_status: trio.TaskStatus[str]) -> None:
                await serve(
                    app if app is not None else house.app(),
                    host="127.0.0.1",
                    port=0,
                    shutdown=shutdown,
                    task_status=task_status,
                    **limits,
                )

            server.url = await nursery.start(run)
            server.port = int(server.url.rpartition(":")[2])
            servers.append(server)
            return server

        yield start
        for server in servers:
            server.shutdown.set()
        nursery.cancel_scope.cancel()


@pytest.fixture
async def server(start_server: ServerFactory) -> Server:
    return await start_server()


@pytest.fixture
def order() -> Callable[..., dict[str, Any]]:
    """A valid order, with changes; None leaves a field out."""

    def make(**changes: Any) -> dict[str, Any]:
        fields = {
            "client_id": "client-A",
            "side": "buy",
            "price": "70150.5",
            "quantity": "0.25",
            **changes,
        }
        return {name: value for name, value in fields.items() if value is not None}

    return make
