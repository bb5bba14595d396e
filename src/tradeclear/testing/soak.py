"""A real server under a steady mixed load, killed each minute: nothing lost, doubled or growing.

    tradeclear soak --minutes 30 --rate 200 --seed 7

Traders over HTTP and WebSocket, readers that come and go, a follower of the streams. After each
stretch of time the server is killed (or not, if that is not due), started again on its log, and
held to its ledger; what it holds of the machine is looked at all the while. What it remembers is
little, so that every table is full soon: what grows after that, grows without end. A leak of one
life does not outlive a kill, so that a run with none, `--kill-every-s 0`, belongs to it.
"""

import shutil
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from pathlib import Path
from random import Random
from typing import Final

import trio

from tradeclear.client import ClientError, Patience, open_client
from tradeclear.model.errors import TradeclearError
from tradeclear.testing.crash_comparison import (
    Comparison,
    UnexpectedReply,
    last_sequence,
    leaves,
)
from tradeclear.testing.ledger import Answer, Client, Finding, Json, Sent
from tradeclear.testing.server import ConnectionLost, Server, ServerFailed
from tradeclear.testing.soak_ledger import SoakLedger
from tradeclear.testing.soak_load import Follower, Pace, read, topics, trade, trade_by_messages
from tradeclear.testing.soak_plan import Plan
from tradeclear.testing.soak_report import SoakReport, Stretch, growths, looks
from tradeclear.testing.soak_vitals import Vitals

HTTP_TRADERS: Final = 8
MESSAGE_TRADERS: Final = 2
READERS: Final = 2
READS_SHARE: Final = 0.2
"""Reads a command."""

OWN_ORDERS_MAX: Final = 5
"""Of a trader, to cancel and amend, or to take the id of again: none that was forgotten."""

CATCH_UP_S_MAX: Final = 30.0
UNANSWERED_S_MAX: Final = 30.0
FAULTS_LOGGED: Final = (b"request_failed", b"Traceback", b"Task exception")

Progress = Callable[[int, int], None]


async def run(
    plan: Plan,
    home: Path,
    *,
    environment: Mapping[str, str] | None = None,
    progress: Progress = lambda done, whole: None,
) -> SoakReport:
    """Soak a server of our own in `home`, which goes if all is well.

    `environment` adds to the server's, to plant faults.
    """
    started = time.perf_counter()
    settings = {**plan.settings(), **(environment or {})}
    server = Server(home, environment=settings, arguments=["--port", str(await free_port())])
    soak = Soak(server, plan)
    report = soak.report
    try:
        await soak.run(progress)
    except* (
        ServerFailed,
        ConnectionLost,
        UnexpectedReply,
        TradeclearError,
        ClientError,
    ) as group:
        report.crashes.findings += [Finding("lost", repr(error)) for error in leaves(group)]
    finally:
        with trio.CancelScope(shield=True):
            await server.kill()
    report.crashes.seconds = time.perf_counter() - started
    if report.good:
        await trio.to_thread.run_sync(partial(shutil.rmtree, home))
    return report


class Soak:
    """One log under load, from its first command to its last."""

    def __init__(self, server: Server, plan: Plan) -> None:
        self.server: Final = server
        self.plan: Final = plan
        self.report: Final = SoakReport(plan=plan)
        self._draw: Final = Random(plan.seed)
        self._ledger: Final = SoakLedger(0, plan.windows)
        self._shown: Final[dict[str, Json]] = {}
        self._acknowledged = 0
        self._follower: Final = Follower(self._find)
        traders = HTTP_TRADERS + MESSAGE_TRADERS
        assert traders * plan.batch_max <= plan.windows.slack, "more under way than slack allows"
        self._clients: Final = [
            Client(
                f"soak-{number}",
                Random(f"{plan.seed}-{number}"),
                self._ledger,
                own_orders_max=OWN_ORDERS_MAX,
                batch_max=plan.batch_max,
            )
            for number in range(traders)
        ]

    async def run(self, progress: Progress) -> None:
        """All stretches; ends early when something was lost, doubled or differs."""
        await self.server.start()
        patience = Patience(first_s=0.05, most_s=0.5, give_up_s=inf)
        async with (
            open_client(self.server.url, stream_patience=patience) as client,
            client.stream(*topics()) as stream,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._follower.run, stream)
            await self._begin()
            for number in range(1, self.plan.stretches + 1):
                await self._stretch(number)
                await self._settle()
                progress(number, self.plan.stretches)
                if self.report.crashes.findings:
                    break
            self.report.stream_connections = stream.statistics().connections
            nursery.cancel_scope.cancel()
        self.report.stream_trades = self._follower.trades
        await self._finish()
        self.report.growths = growths(self.report.stretches)

    async def _begin(self) -> None:
        async with await self.server.connect() as connection:
            self._ledger.first_sequence = await last_sequence(connection)
        with trio.fail_after(CATCH_UP_S_MAX):
            await self._follower.begun.wait()

    async def _stretch(self, number: int) -> None:
        """Load for a while; kill in the middle of it if that is due, and start again."""
        waits_s: list[float] = []
        vitals = Vitals(self.server.pid, self.server.wal_dir, lambda: self._acknowledged)
        paces = self._paces(waits_s)
        kill = self.plan.kills(number)
        async with trio.open_nursery() as load, trio.open_nursery() as watch:
            watch.start_soon(vitals.run)
            self._start_load(load, paces)
            await trio.sleep(self.plan.stretch_s)
            await self._end_load(paces, kill)
            load.cancel_scope.deadline = trio.current_time() + UNANSWERED_S_MAX
            watch.cancel_scope.cancel()
        acknowledged = self._ledger.acknowledged()
        ready_s = await self._restart() if kill else 0.0
        self.report.looks += looks(vitals.samples, (number - 1) * self.plan.stretch_s)
        self.report.stretches.append(
            Stretch.of(number, vitals, waits_s, acknowledged, killed=kill, ready_s=ready_s)
        )

    def _paces(self, waits_s: list[float]) -> list[Pace]:
        """One for each trader, then one for each reader, evenly spread."""
        now, traders = trio.current_time(), len(self._clients)
        trade_s = traders / self.plan.rate_per_s
        read_s = READERS / (READS_SHARE * self.plan.rate_per_s)
        return [
            *(Pace(waits_s, trade_s, now + trade_s * place / traders) for place in range(traders)),
            *(Pace(waits_s, read_s, now + read_s * place / READERS) for place in range(READERS)),
        ]

    def _start_load(self, nursery: trio.Nursery, paces: list[Pace]) -> None:
        traders = len(self._clients)
        for place, (client, pace) in enumerate(zip(self._clients, paces[:traders], strict=True)):
            how = trade if place < HTTP_TRADERS else trade_by_messages
            nursery.start_soon(how, self.server, client, pace, self._note)
        for pace in paces[traders:]:
            draw = Random(f"{self._draw.random()}")
            nursery.start_soon(read, self.server, draw, pace, self._find)

    async def _end_load(self, paces: list[Pace], kill: bool) -> None:
        """By a kill, with everything under way; else everyone ends after the present request."""
        if kill:
            await self.server.kill()
            self.report.crashes.kills += 1
        for pace in paces:
            pace.over = True

    async def _restart(self) -> float:
        """Start it again; how many seconds that took."""
        self._look_for_faults()
        started = time.monotonic()
        await self.server.start()
        return time.monotonic() - started

    async def _settle(self) -> None:
        """Compare everything that must be known still, and forget what need not be."""
        ledger = self._ledger
        comparison = Comparison(
            self.server,
            ledger,
            self.report.crashes,
            names=[client.name for client in self._clients],
            first=ledger.first_known(),
            shown=self._shown,
            draw=self._draw,
            connections=HTTP_TRADERS,
        )
        async with comparison.open_connections() as connections:
            await comparison.retry(connections)
            for order_id in ledger.forget():
                self._shown.pop(order_id, None)
            await comparison.repeat(connections)
            await comparison.compare_orders(connections[0])
            await comparison.compare_trades(connections[0])
            last = await last_sequence(connections[0])
        comparison.find(ledger.check_sums(self._shown))
        comparison.find(ledger.check_sequence(last))
        await self._wait_stream()
        self.report.crashes.acknowledged += ledger.acknowledged()
        ledger.turn_page(last)

    async def _wait_stream(self) -> None:
        """The follower must hear of the last trade, and so of all before it."""
        last = max(self._ledger.trades, default=0)
        with trio.move_on_after(CATCH_UP_S_MAX):
            await self._follower.wait_trade(last)
            return
        self._find(Finding("lost", f"the stream has not told of trade {last}"))

    async def _finish(self) -> None:
        """Stop it in order, and let the command line look at the log."""
        code = await self.server.end(signal.SIGTERM)
        if code:
            self._find(Finding("differing", f"SIGTERM: exit code {code}"))
        self._look_for_faults()
        verified = await self.server.command("wal", "verify", "--replay", str(self.server.wal_dir))
        self.report.crashes.logs_verified += 1
        if verified.returncode:
            said = (verified.stdout + verified.stderr).decode()
            self._find(Finding("differing", f"wal verify: {said}"))

    def _look_for_faults(self) -> None:
        said = self.server.said()
        for mark in FAULTS_LOGGED:
            if mark in said:
                self._find(Finding("differing", f"the server logged {mark.decode()}"))

    def _note(self, sent: Sent, answer: Answer, client: Client) -> None:
        """Note an answer, if it is one: 503 says that nobody knows."""
        if answer.status == 503:
            return
        self._acknowledged += 1
        self.report.crashes.findings += self._ledger.acknowledge(sent, answer)
        client.learn(sent)

    def _find(self, finding: Finding) -> None:
        self.report.crashes.findings.append(finding)


async def free_port() -> int:
    """A port that the server can come back to, so that followers find it."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        return int(listener.socket.getsockname()[1])
