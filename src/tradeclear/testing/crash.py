"""Kill the exchange under load, again and again, and hold it to everything that it acknowledged.

    tradeclear crash --points random --kills 200 --seed 7

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

import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Final

import trio

from tradeclear.model.errors import TradeclearError
from tradeclear.testing.crash_comparison import (
    Comparison,
    UnexpectedReply,
    ask,
    compare_hash,
    last_sequence,
    leaves,
)
from tradeclear.testing.crash_report import Report
from tradeclear.testing.ledger import Answer, Client, Finding, Json, Ledger, Sent, answers_of
from tradeclear.testing.server import NO_RATE_LIMITS, ConnectionLost, Server, ServerFailed

CONNECTIONS: Final = 12
LOAD_S_MIN, LOAD_S_MAX = 0.01, 0.3
KILLS_PER_LOG: Final = 20
"""After so many kills the next cycle begins with an empty directory."""
STOP_SHARE: Final = 0.1
RECOVERY_KILL_SHARE: Final = 0.3
RECOVERY_KILLS_MAX: Final = 2
SNAPSHOT_SHARE: Final = 0.5
UNANSWERED_S_MAX: Final = 20.0


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
        comparison = Comparison(
            self.server,
            self.ledger,
            self.report,
            names=self._clients,
            first=self._cycle_start,
            shown=self._shown,
            draw=self._draw,
            connections=self._connections,
        )
        async with comparison.open_connections() as connections:
            if self._stopped:
                await compare_hash(self.server, self.report, connections[0], "GET")
                self._stopped = False
            await comparison.compare(connections)
            if self._draw.random() < SNAPSHOT_SHARE:
                await compare_hash(self.server, self.report, connections[0], "POST")

    async def finish(self) -> None:
        """Stop it in order and look at the whole log once more, by the command line too."""
        await self._stop()
        await self.server.start()
        async with await self.server.connect() as connection:
            await compare_hash(self.server, self.report, connection, "GET")
        await self.server.kill()
        wal_dir = str(self.server.wal_dir)
        verified = await self.server.command("wal", "verify", "--replay", wal_dir)
        self.report.logs_verified += 1
        if verified.returncode:
            said = verified.stdout + verified.stderr
            self.find([Finding("differing", f"wal verify: {said.decode()}")])

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
        self.find(self.ledger.acknowledge(sent, answer))
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
            self.find([Finding("differing", f"SIGTERM: exit code {code}")])

    async def _start(self) -> None:
        started = trio.current_time()
        await self.server.start()
        self._start_s = trio.current_time() - started

    def find(self, findings: list[Finding]) -> None:
        """Report what is wrong."""
        self.report.findings += findings


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
