"""Hold a server that was restarted to everything that its ledger knows.

What was not answered is asked for again (each twice, at the same time), what was answered is sent
again, and orders, trades, sums, sequence and state are compared.
"""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import quote

import trio

from tradeclear.core.engine import Engine
from tradeclear.core.state import state_hash
from tradeclear.pipeline.recovery import replay
from tradeclear.testing.crash_report import Report
from tradeclear.testing.ledger import INSTRUMENT, Answer, Finding, Json, Ledger, Sent
from tradeclear.testing.server import Connection, Server
from tradeclear.wal import Cursor, PosixStorage

PAGE: Final = 1_000


class Comparison:
    """One cycle's: `names` are its clients, `first` the place of its first command in the ledger.

    `shown` is what earlier comparisons of this log have seen of its orders; this one adds to it.
    """

    def __init__(
        self,
        server: Server,
        ledger: Ledger,
        report: Report,
        *,
        names: Sequence[str],
        first: int,
        shown: dict[str, Json],
        draw: Random,
        connections: int,
    ) -> None:
        self.server: Final = server
        self.ledger: Final = ledger
        self.report: Final = report
        self.shown: Final = shown
        self._names: Final = names
        self._first: Final = first
        self._draw: Final = draw
        self._connections: Final = connections

    async def compare(self, connections: list[Connection]) -> None:
        """Compare everything that this cycle touched."""
        await self.retry(connections)
        await self.repeat(connections)
        await self.compare_orders(connections[0])
        await self.compare_trades(connections[0])
        self.find(self.ledger.check_sums(self.shown))
        self.find(self.ledger.check_sequence(await last_sequence(connections[0])))

    async def retry(self, connections: list[Connection]) -> None:
        """Ask again for every outcome that is unknown, twice at once: it must be the same one."""
        for sent in self.ledger.unacknowledged():
            self.report.retried += 1
            replies: list[tuple[Answer, bool]] = []
            async with trio.open_nursery() as nursery:
                for connection in connections[:2]:
                    nursery.start_soon(ask_into, replies, connection, sent)
            first, second = sorted(replies, key=lambda reply: reply[1])
            self.find(self.ledger.acknowledge(sent, first[0]))
            self.find(self.ledger.check_repeat(sent, *second))

    async def repeat(self, connections: list[Connection]) -> None:
        """Send every command of the cycle again."""
        sends = deque(self.ledger.sent[self._first :])
        self._draw.shuffle(sends)
        async with trio.open_nursery() as nursery:
            for connection in connections:
                nursery.start_soon(self._repeat_some, connection, sends)

    async def _repeat_some(self, connection: Connection, sends: deque[Sent]) -> None:
        while sends:
            sent = sends.popleft()
            self.find(self.ledger.check_repeat(sent, *await ask(connection, sent)))
            self.report.repeated += 1

    async def compare_orders(self, connection: Connection) -> None:
        """The orders of this cycle's clients as listed, and older ones that they traded with."""
        ledger = self.ledger
        listed: list[Json] = []
        for client in self._names:
            listed += await pages(connection, f"/orders?client_id={client}", "orders")
        self.find(ledger.check_listing(self._names, listed))
        shown: dict[str, Json | None] = {order["order_id"]: order for order in listed}
        for order_id in ledger.touched - shown.keys():
            reply = await connection.request("GET", f"/orders/{quote(order_id, safe='')}")
            shown[order_id] = reply.json() if reply.status == 200 else None
        for order_id in ledger.touched & ledger.told.keys():
            order = shown[order_id]
            self.find(ledger.check_order(order_id, order))
            if order is not None:
                self.shown[order_id] = order
        for order_id in ledger.touched - ledger.told.keys():
            self.find([Finding("doubled", f"nobody placed {order_id}, which traded")])
        self.report.orders_compared += len(ledger.touched)
        ledger.touched.clear()

    async def compare_trades(self, connection: Connection) -> None:
        trades: list[Json] = []
        before = ""
        while True:
            page = (await fetch(connection, "GET", f"/trades?limit={PAGE}{before}"))["trades"]
            trades += page
            if len(page) < PAGE:
                break
            before = f"&before={page[-1]['trade_id']}"
        self.find(self.ledger.check_trades(trades))

    def find(self, findings: list[Finding]) -> None:
        """Report what is wrong."""
        self.report.findings += findings

    @asynccontextmanager
    async def open_connections(self) -> AsyncGenerator[list[Connection]]:
        """As many as this was told to use."""
        async with AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(await self.server.connect())
                for _ in range(self._connections)
            ]


async def compare_hash(server: Server, report: Report, connection: Connection, method: str) -> None:
    """A snapshot made now (POST) or the newest (GET), and a replay from the first record.

    The snapshot of an orderly stop is made of the server's own state, so its hash tells whether
    memory and log agree; those that are asked for are made of the log.
    """
    told = await fetch(connection, method, "/admin/snapshots")
    newest = told["snapshots"][0] if method == "GET" else told
    shown = (newest["seq"], newest["state_hash"])
    replayed = await trio.to_thread.run_sync(replayed_hash, server.wal_dir, shown[0])
    report.hashes_compared += 1
    if shown != replayed:
        report.findings.append(Finding("differing", f"snapshot {shown}; replay {replayed}"))


async def ask(connection: Connection, sent: Sent) -> tuple[Answer, bool]:
    """Send a command. Returns its answer and whether it is marked as replayed."""
    reply = await connection.request(sent.method, sent.path, sent.body, sent.headers)
    replayed = reply.headers.get("idempotency-replayed") == "true"
    return Answer(reply.status, reply.body), replayed


async def ask_into(replies: list[tuple[Answer, bool]], connection: Connection, sent: Sent) -> None:
    """The same for a task of its own."""
    replies.append(await ask(connection, sent))


class UnexpectedReply(Exception):
    """The server would not say what it was asked."""


async def fetch(connection: Connection, method: str, path: str) -> Json:
    """What the server says. Raises `UnexpectedReply` if it doesn't."""
    reply = await connection.request(method, path)
    if reply.status not in (200, 201):
        raise UnexpectedReply(f"{method} {path}: {reply.status} {reply.body!r}")
    told: Json = reply.json()
    return told


async def pages(connection: Connection, path: str, name: str) -> list[Json]:
    """Everything that a paged query lists."""
    listed: list[Json] = []
    cursor = ""
    while True:
        page = await fetch(connection, "GET", f"{path}&limit={PAGE}{cursor}")
        listed += page[name]
        if page["next_cursor"] is None:
            return listed
        cursor = f"&cursor={quote(str(page['next_cursor']), safe='')}"


async def last_sequence(connection: Connection) -> int:
    """Sequence of the newest record."""
    book = await fetch(connection, "GET", f"/orderbook?instrument={INSTRUMENT}&levels=1")
    sequence = book["sequence"]
    assert isinstance(sequence, int)
    return sequence


def replayed_hash(wal_dir: Path, until: int | None = None) -> tuple[int, str]:
    """Replay a log from its first record (up to `until`). Returns the last sequence and the hash.

    Raises what names the damage or the record that gives other events than the log holds.
    """
    engine = Engine()
    with closing(Cursor(PosixStorage(wal_dir))) as cursor:
        replay(engine, cursor.frames(), until=until)
    return engine.seq, state_hash(engine)


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group of groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]
