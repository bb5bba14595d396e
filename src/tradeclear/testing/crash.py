"""Kill the exchange under load, again and again, and hold it to everything that it acknowledged.

    python -m tradeclear.testing.crash --kills 200 --seed 7

One cycle: several clients trade at once, each on a connection of its own and with a new idempotency
key a command; at a moment of its own choosing the harness sends SIGKILL; in some cycles it kills
once or twice more while the server recovers. Then it restarts it, repeats what was not answered
(each twice, at the same time), repeats what was answered, and compares with the ledger:

- no acknowledged command is lost: every repeated key gives the first reply, byte for byte;
- none took effect twice: the log has one record a command, every order is there once, every trade
  was told of once, and what was bought, sold and traded are three equal numbers;
- every order is, to the last field, what the replies say that it must be;
- the log replays from its first record without a difference, to the state hash of the server.

Moments and commands follow from the seed; how they fall on the server's work does not. A killed
process leaves the page cache behind: what was written and not synced survives SIGKILL, so this
shows nothing about fsync, which simulated storage does.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import quote

import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from tradeclear.core.engine import Engine
from tradeclear.core.state import state_hash
from tradeclear.model.errors import TradeclearError
from tradeclear.pipeline.recovery import replay
from tradeclear.testing.ledger import (
    INSTRUMENT,
    Answer,
    Client,
    Finding,
    Json,
    Ledger,
    Sent,
    answers_of,
)
from tradeclear.testing.server import (
    NO_RATE_LIMITS,
    Connection,
    ConnectionLost,
    Server,
    ServerFailed,
)
from tradeclear.wal import Cursor, PosixStorage

CONNECTIONS: Final = 12
LOAD_S_MIN, LOAD_S_MAX = 0.01, 0.3
KILLS_PER_LOG: Final = 20
"""After so many kills the next cycle begins with an empty directory."""
STOP_SHARE: Final = 0.1
RECOVERY_KILL_SHARE: Final = 0.3
RECOVERY_KILLS_MAX: Final = 2
SNAPSHOT_SHARE: Final = 0.5
UNANSWERED_S_MAX: Final = 20.0
PAGE: Final = 1_000
FINDINGS_SHOWN_MAX: Final = 20


@dataclass(slots=True)
class Report:
    """What was done and found. `acknowledged` is the denominator."""

    kills: int = 0
    recovery_kills: int = 0
    stops: int = 0
    acknowledged: int = 0
    retried: int = 0
    repeated: int = 0
    trades: int = 0
    orders_compared: int = 0
    hashes_compared: int = 0
    snapshots: int = 0
    logs_verified: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    def count(self, kind: str) -> int:
        """How many findings are of this kind."""
        return sum(finding.kind == kind for finding in self.findings)


class Trial:
    """One log, from empty to its last kill."""

    def __init__(
        self, server: Server, draw: Random, report: Report, *, connections: int = CONNECTIONS
    ) -> None:
        self.server: Final = server
        self.report: Final = report
        self.ledger: Ledger = Ledger(0)
        self._draw: Final = draw
        self._connections: Final = connections
        self._cycle = 0
        self._clients: list[str] = []
        self._cycle_start = 0
        self._shown: Final[dict[str, Json]] = {}
        self._start_s = 1.0
        self._stopped = False

    async def begin(self) -> None:
        """Start the server on its empty directory."""
        await self._start()
        async with await self.server.connect() as connection:
            self.ledger = Ledger(await last_sequence(connection))

    async def load_and_kill(self) -> None:
        """Load for a while, kill in the middle; maybe kill again while it recovers.

        Sometimes it is asked to stop instead, which must lose nothing either.
        """
        self._cycle += 1
        self._cycle_start = len(self.ledger.sent)
        self._clients = [f"c{self._cycle}-{number}" for number in range(self._connections)]
        draw = self._draw
        async with trio.open_nursery() as nursery:
            for name in self._clients:
                client = Client(name, Random(f"{draw.random()}"), self.ledger)
                nursery.start_soon(self._trade, client)
            if draw.random() < SNAPSHOT_SHARE:
                nursery.start_soon(self._snapshot_after, draw.uniform(0, LOAD_S_MAX))
            await trio.sleep(draw.uniform(LOAD_S_MIN, LOAD_S_MAX))
            if draw.random() < STOP_SHARE:
                await self._stop()
                self._stopped = True
                self.report.stops += 1
            else:
                await self.server.kill()
                self.report.kills += 1
            nursery.cancel_scope.deadline = trio.current_time() + UNANSWERED_S_MAX
        if draw.random() < RECOVERY_KILL_SHARE:
            for _ in range(draw.randint(1, RECOVERY_KILLS_MAX)):
                await self.server.spawn()
                await trio.sleep(draw.uniform(0, 1.1 * self._start_s))
                await self.server.kill()
                self.report.recovery_kills += 1

    async def settle(self) -> None:
        """Start it again and compare everything that this cycle touched."""
        await self._start()
        async with self._open_connections() as connections:
            if self._stopped:
                await self._compare_hash(connections[0], "GET")
                self._stopped = False
            await self._retry(connections)
            await self._repeat(connections)
            await self._compare_orders(connections[0])
            await self._compare_trades(connections[0])
            self._find(self.ledger.check_sums(self._shown))
            self._find(self.ledger.check_sequence(await last_sequence(connections[0])))
            if self._draw.random() < SNAPSHOT_SHARE:
                await self._compare_hash(connections[0], "POST")

    async def finish(self) -> None:
        """Stop it in order and look at the whole log once more, by the command line too."""
        await self._stop()
        await self.server.start()
        async with await self.server.connect() as connection:
            await self._compare_hash(connection, "GET")
        await self.server.kill()
        wal_dir = str(self.server.wal_dir)
        verified = await self.server.command("wal", "verify", "--replay", wal_dir)
        self.report.logs_verified += 1
        if verified.returncode:
            said = verified.stdout + verified.stderr
            self._find([Finding("differing", f"wal verify: {said.decode()}")])

    # Loading

    async def _trade(self, client: Client) -> None:
        """Trade until the server is gone."""
        try:
            async with await self.server.connect() as connection:
                while True:
                    sends, batch = client.next_request()
                    if batch is None:
                        answers = [(await ask(connection, sends[0]))[0]]
                    else:
                        reply = await connection.request("POST", "/orders/batch", batch)
                        if reply.status == 503:
                            continue
                        answers = answers_of(reply.body)
                    for sent, answer in zip(sends, answers, strict=True):
                        self._note(sent, answer, client)
        except ConnectionLost:
            return

    def _note(self, sent: Sent, answer: Answer, client: Client) -> None:
        """Note an answer, if it is one: 503 says that nobody knows."""
        if answer.status == 503:
            return
        self._find(self.ledger.acknowledge(sent, answer))
        client.learn(sent)

    async def _snapshot_after(self, seconds: float) -> None:
        try:
            async with await self.server.connect() as connection:
                await trio.sleep(seconds)
                self.report.snapshots += 1
                await connection.request("POST", "/admin/snapshots")
        except ConnectionLost:
            return

    async def _stop(self) -> None:
        code = await self.server.end(signal.SIGTERM)
        if code:
            self._find([Finding("differing", f"SIGTERM: exit code {code}")])

    async def _start(self) -> None:
        started = trio.current_time()
        await self.server.start()
        self._start_s = trio.current_time() - started

    # Comparing

    async def _retry(self, connections: list[Connection]) -> None:
        """Ask again for every outcome that is unknown, twice at once: it must be the same one."""
        for sent in self.ledger.unacknowledged():
            self.report.retried += 1
            replies: list[tuple[Answer, bool]] = []
            async with trio.open_nursery() as nursery:
                for connection in connections[:2]:
                    nursery.start_soon(ask_into, replies, connection, sent)
            first, second = sorted(replies, key=lambda reply: reply[1])
            self._find(self.ledger.acknowledge(sent, first[0]))
            self._find(self.ledger.check_repeat(sent, *second))

    async def _repeat(self, connections: list[Connection]) -> None:
        """Send every command of the cycle again."""
        sends = deque(self.ledger.sent[self._cycle_start :])
        self._draw.shuffle(sends)
        async with trio.open_nursery() as nursery:
            for connection in connections:
                nursery.start_soon(self._repeat_some, connection, sends)

    async def _repeat_some(self, connection: Connection, sends: deque[Sent]) -> None:
        while sends:
            sent = sends.popleft()
            self._find(self.ledger.check_repeat(sent, *await ask(connection, sent)))
            self.report.repeated += 1

    async def _compare_orders(self, connection: Connection) -> None:
        """The orders of this cycle's clients as listed, and older ones that they traded with."""
        ledger = self.ledger
        listed: list[Json] = []
        for client in self._clients:
            listed += await pages(connection, f"/orders?client_id={client}", "orders")
        self._find(ledger.check_listing(self._clients, listed))
        shown: dict[str, Json | None] = {order["order_id"]: order for order in listed}
        for order_id in ledger.touched - shown.keys():
            reply = await connection.request("GET", f"/orders/{quote(order_id, safe='')}")
            shown[order_id] = reply.json() if reply.status == 200 else None
        for order_id in ledger.touched & ledger.told.keys():
            order = shown[order_id]
            self._find(ledger.check_order(order_id, order))
            if order is not None:
                self._shown[order_id] = order
        for order_id in ledger.touched - ledger.told.keys():
            self._find([Finding("doubled", f"nobody placed {order_id}, which traded")])
        self.report.orders_compared += len(ledger.touched)
        ledger.touched.clear()

    async def _compare_trades(self, connection: Connection) -> None:
        trades: list[Json] = []
        before = ""
        while True:
            page = (await fetch(connection, "GET", f"/trades?limit={PAGE}{before}"))["trades"]
            trades += page
            if len(page) < PAGE:
                break
            before = f"&before={page[-1]['trade_id']}"
        self._find(self.ledger.check_trades(trades))

    async def _compare_hash(self, connection: Connection, method: str) -> None:
        """A snapshot made now (POST) or the newest (GET), and a replay from the first record.

        The snapshot of an orderly stop is made of the server's own state, so its hash tells whether
        memory and log agree; those that are asked for are made of the log.
        """
        told = await fetch(connection, method, "/admin/snapshots")
        newest = told["snapshots"][0] if method == "GET" else told
        shown = (newest["seq"], newest["state_hash"])
        replayed = await trio.to_thread.run_sync(replayed_hash, self.server.wal_dir, shown[0])
        self.report.hashes_compared += 1
        if shown != replayed:
            self._find([Finding("differing", f"snapshot {shown}; replay {replayed}")])

    def _find(self, findings: list[Finding]) -> None:
        self.report.findings += findings

    @asynccontextmanager
    async def _open_connections(self) -> AsyncGenerator[list[Connection]]:
        async with AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(await self.server.connect())
                for _ in range(self._connections)
            ]


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


# The program


async def run(
    kills: int,
    seed: int,
    folder: Path,
    *,
    connections: int = CONNECTIONS,
    kills_per_log: int = KILLS_PER_LOG,
    environment: Mapping[str, str] = NO_RATE_LIMITS,
    after_kill: Callable[[Path], None] = lambda wal_dir: None,
    progress: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Kill so many times, over as many logs as that takes; ends early when something is wrong.

    To plant faults: `environment` is the server's, and `after_kill` is called with the log's
    directory between the last kill of a cycle and the restart. The folders of logs with findings
    stay; the others go.
    """
    report = Report()
    started = time.perf_counter()
    draw = Random(seed)
    while report.kills < kills and not report.findings:
        home = folder / f"log-{report.kills}"
        trial = Trial(Server(home, environment=environment), draw, report, connections=connections)
        try:
            await trial.begin()
            end = min(kills, report.kills + kills_per_log)
            while report.kills < end and not report.findings:
                await trial.load_and_kill()
                after_kill(trial.server.wal_dir)
                await trial.settle()
                progress(report)
            if not report.findings:
                await trial.finish()
        except* (ServerFailed, ConnectionLost, UnexpectedReply, TradeclearError) as group:
            report.findings += [Finding("lost", f"{error!r}") for error in leaves(group)]
        finally:
            with trio.CancelScope(shield=True):
                await trial.server.kill()
        report.acknowledged += trial.ledger.acknowledged()
        report.trades += len(trial.ledger.trades)
        if not report.findings:
            await trio.to_thread.run_sync(shutil.rmtree, home)
    report.seconds = time.perf_counter() - started
    return report


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group of groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


def show(report: Report, seed: int, folder: Path) -> None:
    """Print what was done and found."""
    table = Table(show_header=False, box=None)
    for name, value in (
        ("kills under load", f"{report.kills:,}"),
        ("kills during recovery", f"{report.recovery_kills:,}"),
        ("orderly stops under load", f"{report.stops:,}"),
        ("acknowledged commands", f"{report.acknowledged:,}"),
        ("retried, outcome unknown", f"{report.retried:,}"),
        ("repeated keys compared", f"{report.repeated:,}"),
        ("orders compared", f"{report.orders_compared:,}"),
        ("trades compared", f"{report.trades:,}"),
        ("state hashes compared", f"{report.hashes_compared:,}"),
        ("logs verified", f"{report.logs_verified:,}"),
        ("snapshots under load", f"{report.snapshots:,}"),
        ("lost", f"{report.count('lost'):,}"),
        ("doubled", f"{report.count('doubled'):,}"),
        ("differing", f"{report.count('differing'):,}"),
        ("seconds", f"{report.seconds:,.1f} ({report.seconds / max(1, report.kills):.2f} a kill)"),
        ("seed", str(seed)),
    ):
        table.add_row(name, value)
    console = Console()
    console.print(table)
    for finding in report.findings[:FINDINGS_SHOWN_MAX]:
        console.print(f"{finding.kind}: {finding.text}", markup=False)
    if report.findings:
        console.print(f"everything is kept in {folder}")


def main() -> None:
    """The command line: exit 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--kills-per-log", type=int, default=KILLS_PER_LOG)
    parser.add_argument("--dir", type=Path, help="where the logs go (a temporary folder)")
    options = parser.parse_args()
    folder = options.dir or Path(tempfile.mkdtemp(prefix="tradeclear-crash-"))
    with Progress(
        "{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    ) as bar:
        task = bar.add_task("kills", total=options.kills)

        def progress(report: Report) -> None:
            bar.update(task, completed=report.kills)

        report = trio.run(
            partial(
                run,
                options.kills,
                options.seed,
                folder,
                connections=options.connections,
                kills_per_log=options.kills_per_log,
                progress=progress,
            )
        )
    show(report, options.seed, folder)
    if not report.findings and options.dir is None:
        shutil.rmtree(folder)
    sys.exit(1 if report.findings else 0)


if __name__ == "__main__":
    main()
