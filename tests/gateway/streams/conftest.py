"""An exchange on a real log with its streams, subscribers that only listen, and both doors."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio_websocket import WebSocketConnection, wrap_client_stream

from tradeclear.core.engine import Engine
from tradeclear.gateway.app import create_app
from tradeclear.gateway.connection import Timeouts
from tradeclear.gateway.door.reactor import Bounds
from tradeclear.gateway.door.server import serve_front_door
from tradeclear.gateway.rate_limits import RateLimits, TokenBuckets
from tradeclear.gateway.server import HttpServer, serve
from tradeclear.gateway.streams.message import lines
from tradeclear.gateway.streams.streams import StreamLimits, Streams
from tradeclear.gateway.streams.subscriber import NOT_READY
from tradeclear.model.commands import (
    AmendOrder,
    CancelOrder,
    Command,
    Configure,
    Limits,
    PlaceOrder,
)
from tradeclear.model.events import Record
from tradeclear.model.instrument import define_instrument
from tradeclear.pipeline.backlog import Backlog
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.partition import Partition
from tradeclear.pipeline.snapshotter import Snapshotter
from tradeclear.telemetry.metrics import Metrics
from tradeclear.wal import PosixStorage
from tradeclear.wal.log import Log

PATIENCE_S = 10
START = 1_700_000_000_000_000
CONFIGURE = Configure(
    (define_instrument("BTC-USD"), define_instrument("ETH-USD", tick_size="0.05", lot_size="0.1")),
    Limits(),
)
BOUNDS = Bounds(
    header_bytes_max=16_384,
    body_bytes_max=1_048_576,
    header_timeout_s=10,
    body_timeout_s=10,
    write_timeout_s=10,
    keep_alive_timeout_s=75,
)


class Desk:
    """An engine alone: commands to records."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.carry_out(CONFIGURE)

    def carry_out(self, command: Command) -> Record:
        seq = self.engine.seq + 1
        now = START + seq * 1_000_000
        return Record(seq, now, command, self.engine.apply(seq, now, command))

    def instrument(self, name: str) -> Any:
        return self.engine.instruments.get(name)

    def instruments(self) -> Any:
        return tuple(self.engine.instruments.values())


def buy(order_id: str, price: int, quantity: int, client_id: str = "A", **more: Any) -> PlaceOrder:
    """In ticks and lots."""
    fields = {"instrument": "BTC-USD", "side": "buy", "type": "limit", **more}
    return PlaceOrder(
        order_id=order_id, client_id=client_id, price=price, quantity=quantity, **fields
    )


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def place() -> Callable[..., PlaceOrder]:
    """`place("1", price, quantity, client_id, side=…)`, in ticks and lots; a buy of client A."""
    return buy


class Ear:
    """A subscriber that keeps what it is told; `stuck` until it is let go."""

    encoding = staticmethod(lines)
    ready_descriptor = NOT_READY

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.dismissed: tuple[int, str] | None = None
        self.stuck = False
        self._free = trio.Event()

    def deliver(self, data: bytes) -> None:
        self.pieces.append(data)

    def dismiss(self, code: int, reason: str) -> None:
        self.dismissed = (code, reason)

    async def wait_room(self) -> None:
        await trio.lowlevel.checkpoint()
        while self.stuck:
            await self._free.wait()

    def let_go(self) -> None:
        self.stuck = False
        self._free.set()

    @property
    def told(self) -> list[Any]:
        """Every message so far."""
        return [json.loads(text) for piece in self.pieces for text in piece.splitlines()]

    def forget(self) -> None:
        self.pieces.clear()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def make_ear() -> type[Ear]:
    return Ear


class House:
    """Everything of one exchange with streams, on a log in a folder."""

    def __init__(self, folder: Path, limits: StreamLimits, segment_bytes_max: int) -> None:
        self.metrics = Metrics()
        self.storage = PosixStorage(folder, create=True)
        self.log = Log.open(self.storage, segment_bytes_max=segment_bytes_max)
        self.engine = Engine()
        self.now = START
        self.partition = Partition(
            engine=self.engine,
            log=self.log,
            clock=self._clock,
            quarantine=set(),  # type: ignore[arg-type]
            metrics=self.metrics,
            input_channel_max=10_000,
        )
        snapshotter = Snapshotter(
            partition=self.partition,
            store=None,  # type: ignore[arg-type]
            interval_s=3600,
            last_seq=0,
            metrics=self.metrics,
            after=trio.lowlevel.checkpoint,
        )
        self.exchange = Exchange(self.partition, snapshotter)
        self.backlog = Backlog(self.log)
        self.streams = Streams(self.exchange, self.backlog, self.metrics, limits)
        self.rates = RateLimits(
            client=TokenBuckets(rate_per_s=0, burst=1, clock=lambda: 0.0),
            address=TokenBuckets(rate_per_s=0, burst=1, clock=lambda: 0.0),
        )

    def _clock(self) -> int:
        self.now += 1_000_000
        return self.now

    async def submit(self, command: Command) -> int:
        """Returns the sequence, durable."""
        return (await self.exchange.submit(command)).record.seq

    async def place(self, order_id: str, price: int, quantity: int = 1, **more: Any) -> int:
        return await self.submit(buy(order_id, price, quantity, **more))

    async def cancel(self, order_id: str) -> int:
        return await self.submit(CancelOrder(order_id))

    async def amend(self, order_id: str, **more: int) -> int:
        return await self.submit(AmendOrder(order_id, **more))


@pytest.fixture
def open_house(tmp_path: Path) -> Any:
    """`async with open_house(subscriptions_max=…) as house`: running, configured."""

    @asynccontextmanager
    async def open_one(*, segment_bytes_max: int = 1 << 26, **limits: int) -> AsyncIterator[House]:
        house = House(tmp_path / "wal", StreamLimits(**limits), segment_bytes_max)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(house.partition.run)
            await house.submit(CONFIGURE)
            nursery.start_soon(house.streams.run)
            yield house
            house.streams.close()
            house.partition.stop()
            with trio.fail_after(PATIENCE_S):
                await house.partition.stopped.wait()
        house.log.close()
        house.storage.close()

    return open_one


@pytest.fixture
async def house(open_house: Any) -> AsyncIterator[House]:
    async with open_house() as one:
        yield one


async def settle() -> None:
    """Until every task waits; worker threads may take a moment."""
    await trio.testing.wait_all_tasks_blocked(0.02)


@pytest.fixture
def until() -> Any:
    """`await until(lambda: …)`: true within patience."""

    async def wait(condition: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - threads and sockets are waited for
                await trio.sleep(0.002)

    return wait


class Door:
    """A door on loopback."""

    def __init__(self, house: House, port: int, front: bool) -> None:
        self.house = house
        self.port = port
        self.front = front
        self.url = f"http://127.0.0.1:{port}"

    def socket(self) -> Any:
        """`async with door.socket() as listener`."""
        return open_listener(self.port)


class Listener:
    """A WebSocket client that speaks JSON."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket

    async def send(self, **message: Any) -> None:
        await self.socket.send_message(json.dumps(message))

    async def next(self) -> Any:
        with trio.fail_after(PATIENCE_S):
            return json.loads(await self.socket.get_message())

    async def ask(self, **message: Any) -> Any:
        await self.send(**message)
        return await self.next()

    async def subscribe(self, *channels: str, **more: Any) -> list[Any]:
        """Everything from `subscribed` to `live`."""
        await self.send(op="subscribe", channels=list(channels), **more)
        return await self.until_live()

    async def until_live(self) -> list[Any]:
        told = [await self.next()]
        while told[-1]["type"] not in ("live", "error"):
            told.append(await self.next())
        return told


@asynccontextmanager
async def open_listener(port: int) -> AsyncIterator[Listener]:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream, trio.open_nursery() as nursery:
        socket = await wrap_client_stream(nursery, stream, "127.0.0.1", "/stream")
        yield Listener(socket)
        with trio.fail_after(PATIENCE_S):
            await socket.aclose()
        nursery.cancel_scope.cancel()


@pytest.fixture
def serve_house() -> Any:
    """`async with serve_house(house, front=…) as door`."""

    @asynccontextmanager
    async def serve_one(house: House, *, front: bool) -> AsyncIterator[Door]:
        app = create_app(house.exchange, house.metrics, limits=house.rates, streams=house.streams)
        shutdown = trio.Event()
        common: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": 0,
            "shutdown": shutdown,
            "connections_max": 100,
            "shutdown_timeout_s": 5.0,
        }

        async def run(task_status: Any) -> None:
            if not front:
                await serve(app, **common, task_status=task_status)
                return
            timeouts = Timeouts(keep_alive_s=75, head_s=10, write_s=10)
            behind = HttpServer(
                app, timeouts=timeouts, header_bytes_max=16_384, connections_max=100
            )
            await serve_front_door(
                behind,
                house.exchange,
                house.rates,
                house.metrics,
                bounds=BOUNDS,
                streams=house.streams,
                **common,
                task_status=task_status,
            )

        async with trio.open_nursery() as nursery:
            url = await nursery.start(run)
            yield Door(house, int(url.rpartition(":")[2]), front)
            house.streams.close()
            shutdown.set()

    return serve_one


@pytest.fixture(params=["front door", "no front door"])
async def door(house: House, serve_house: Any, request: Any) -> AsyncIterator[Door]:
    """One door, then the other."""
    async with serve_house(house, front=request.param == "front door") as one:
        yield one


@pytest.fixture
async def front_door(house: House, serve_house: Any) -> AsyncIterator[Door]:
    async with serve_house(house, front=True) as one:
        yield one


class Book:
    """A book that is rebuilt from messages as docs/streams.md says."""

    def __init__(self) -> None:
        self.position = -1
        self.levels: dict[tuple[str, Any], Any] = {}
        self.gaps = 0

    def take(self, message: Any) -> None:
        kind = message["type"]
        if message.get("channel", "orderbook_deltas") != "orderbook_deltas":
            return
        if kind == "subscribed":
            self.position = message["sequence"]
        elif kind == "snapshot":
            if message["part"] == 1:
                self.levels.clear()
            self._apply(message)
        elif kind == "live":
            self.position = max(self.position, message["sequence"])
        elif kind == "update" and message["sequence"] > self.position:
            self.gaps += message["previous_sequence"] > self.position
            self.position = message["sequence"]
            self._apply(message)

    def _apply(self, message: Any) -> None:
        for side in ("bids", "asks"):
            for price, quantity, orders in message[side]:
                if orders:
                    self.levels[side, price] = (quantity, orders)
                else:
                    self.levels.pop((side, price), None)


@pytest.fixture
def book() -> Book:
    return Book()
