"""The steady load of a soak: who trades over HTTP and WebSocket, who reads, and who follows.

Every request has its time, and its wait counts from then on, whatever held it up.
"""

from collections.abc import Callable
from random import Random
from typing import Final, Protocol

import msgspec
import trio
from msgspec import Struct

from tradeclear.client import Stream, Subscribed, Topic, TradesUpdate, Unreachable
from tradeclear.client.errors import Disconnected
from tradeclear.client.websocket import WebSocket, open_websocket, websocket_url
from tradeclear.testing.crash_comparison import ask
from tradeclear.testing.ledger import (
    INSTRUMENT,
    Answer,
    Client,
    Finding,
    Sent,
    answers_of,
    element_of,
)
from tradeclear.testing.server import Connection, ConnectionLost, Server

READS_A_CONNECTION: Final = 20
"""A reader comes anew after so many, so that connections open and close all the time."""

READS: Final = (
    *("/orderbook?levels=20", "/trades?limit=50", "/orders?limit=20", "/orders/nobody"),
    *("/instruments", "/healthz", "/metrics", "/orders?client_id=soak-0&limit=100"),
)


class Pace:
    """When the next request is due, and how long the last ones took from then on.

    `over`: whoever keeps this pace is to end after its present request.
    """

    def __init__(self, waits_s: list[float], interval_s: float, begin_s: float) -> None:
        self._waits_s: Final = waits_s
        self._interval_s: Final = interval_s
        self._due = begin_s
        self.over = False

    async def next(self) -> bool:
        """Wait until a request is due; whether there is to be one."""
        await trio.sleep_until(self._due)
        return not self.over

    def answered(self) -> None:
        """The request has its reply."""
        self._waits_s.append(trio.current_time() - self._due)
        self._due += self._interval_s


class Note(Protocol):
    """Notes the answer to a command."""

    def __call__(self, sent: Sent, answer: Answer, client: Client, /) -> None: ...


async def trade(server: Server, client: Client, pace: Pace, note: Note) -> None:
    """Trade over HTTP until it is over or the server is gone."""
    try:
        async with await server.connect() as connection:
            while await pace.next():
                await _carry(connection, *client.next_request(), client, note)
                pace.answered()
    except ConnectionLost:
        return


async def _carry(
    connection: Connection, sends: list[Sent], batch: bytes | None, client: Client, note: Note
) -> None:
    if batch is None:
        answers = [(await ask(connection, sends[0]))[0]]
    else:
        reply = await connection.request("POST", "/orders/batch", batch)
        if reply.status == 503:
            return
        answers = answers_of(reply.body)
    for sent, answer in zip(sends, answers, strict=True):
        note(sent, answer, client)


class _Head(Struct):
    """What every reply over WebSocket says."""

    status: int
    id: int


async def trade_by_messages(server: Server, client: Client, pace: Pace, note: Note) -> None:
    """The same over `WS /ws/orders`; a cancel-all, which has no message, goes over HTTP."""
    try:
        async with (
            await server.connect() as connection,
            open_websocket(websocket_url(server.url, "/ws/orders")) as socket,
        ):
            while await pace.next():
                sends, batch = client.next_request()
                if sends[0].method == "DELETE":
                    await _carry(connection, sends, batch, client, note)
                else:
                    await _exchange(socket, sends, client, note)
                pace.answered()
    except* (ConnectionLost, Disconnected, Unreachable):
        pass


async def _exchange(socket: WebSocket, sends: list[Sent], client: Client, note: Note) -> None:
    """Send commands as one message, and take their answers, in whatever order they come."""
    elements = [{"id": place, **element_of(sent)} for place, sent in enumerate(sends)]
    await socket.send(msgspec.json.encode(elements))
    for _ in sends:
        text = await socket.receive()
        told = text.encode() if isinstance(text, str) else text
        head = msgspec.json.decode(told, type=_Head)
        note(sends[head.id], Answer(head.status, as_over_http(told, head.id)), client)


def as_over_http(told: bytes, number: int) -> bytes:
    """The body that the same answer has over HTTP."""
    body = told.replace(b'{"id":%d,' % number, b"{", 1)
    head = msgspec.json.decode(told, type=_Head)
    return body.replace(b'{"status":%d,' % head.status, b"{", 1)


async def read(server: Server, draw: Random, pace: Pace, find: Callable[[Finding], None]) -> None:
    """Read what anyone may, over one connection after the other."""
    try:
        while await pace.next():
            async with await server.connect() as connection:
                for _ in range(READS_A_CONNECTION):
                    path = draw.choice(READS)
                    status = (await connection.request("GET", path)).status
                    if status not in (200, 404, 503):
                        find(Finding("differing", f"GET {path}: status {status}"))
                    pace.answered()
                    if not await pace.next():
                        return
    except ConnectionLost:
        return


class Follower:
    """Follows book and trades over `WS /stream`, over kills and restarts, for the whole time."""

    def __init__(self, find: Callable[[Finding], None]) -> None:
        self._find: Final = find
        self.begun: Final = trio.Event()
        self.trades = 0
        self._last_trade = 0
        self._told: Final[trio.Condition] = trio.Condition()

    async def run(self, stream: Stream) -> None:
        """Go on until cancelled: every trade comes once, and in order."""
        async for message in stream:
            if isinstance(message, Subscribed) and "trades" in message.channels:
                if self.begun.is_set() and message.resume != "replayed":
                    text = f"the stream could not resume: {message.resume}"
                    self._find(Finding("lost", text))
                self.begun.set()
            elif isinstance(message, TradesUpdate):
                for trade in message.trades:
                    self._take(trade.trade_id)
                async with self._told:
                    self._told.notify_all()

    def _take(self, trade_id: int) -> None:
        if trade_id != self._last_trade + 1:
            text = f"the stream told of trade {trade_id} after {self._last_trade}"
            self._find(Finding("lost" if trade_id > self._last_trade else "doubled", text))
        self._last_trade = trade_id
        self.trades += 1

    async def wait_trade(self, trade_id: int) -> None:
        """Wait until it was told of."""
        async with self._told:
            while self._last_trade < trade_id:
                await self._told.wait()


def topics() -> tuple[Topic, ...]:
    """What a follower follows."""
    return Topic.deltas(INSTRUMENT), Topic.trades(INSTRUMENT)
