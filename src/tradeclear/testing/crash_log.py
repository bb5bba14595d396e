"""A log that a real server writes in stages, so that a sweep can crash in any of them, cheaply.

A stage starts the server on what the stage before left, sends it a few commands one after another
over one connection, has a snapshot taken and stops it in order. Segments are small: every stage
rotates, writes snapshots and removes old ones, and on every second log old segments go as well.
Rehearsed once with the shim counting, a stage is a list of numbered calls; played again from the
same beginning, with the same commands, it makes the same calls, and one of them is spoiled.
"""

import pickle
import shutil
import signal
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final

from msgspec import Struct

from tradeclear.testing.crash_comparison import Comparison, ask, last_sequence, replayed_hash
from tradeclear.testing.crash_fork import ForkedServer, ForkServer
from tradeclear.testing.crash_report import Report
from tradeclear.testing.ledger import Client, Finding, Json, Ledger, answers_of
from tradeclear.testing.server import NO_RATE_LIMITS, Connection
from tradeclear.testing.shim import Call, Plan, Shim
from tradeclear.wal import PosixStorage, snapshots

SEGMENT_BYTES_MAX: Final = 3_000
"""About a dozen records: far less than a setting may ask for."""
CLIENTS: Final = 3
REQUESTS_A_STAGE: Final = 18
KEPT_BYTES_MAX: Final = 4_000
KEYS_MAX: Final = 64
PRUNING: Final = {
    "TRADECLEAR_LOG_RETENTION_BYTES_MAX": str(KEPT_BYTES_MAX),
    "TRADECLEAR_IDEMPOTENCY_KEYS_MAX": str(KEYS_MAX),
}
CHEAP: Final = {"TRADECLEAR_ORDER_LOG": "false", "TRADECLEAR_SNAPSHOTS_KEPT": "2"}


class Stage(Struct, frozen=True):
    """What a stage begins with, and the calls that it makes."""

    number: int
    beginning: Path
    remembered: bytes
    calls: list[Call]

    def recall(self) -> tuple[Ledger, dict[str, Json]]:
        """A ledger of its own for each run, and what was seen of its orders."""
        ledger, shown = pickle.loads(self.remembered)
        assert isinstance(ledger, Ledger)
        return ledger, shown


class CrashLog:
    """One log, its server and its stages. `folder` is its own."""

    def __init__(
        self, number: int, seed: int, folder: Path, forks: ForkServer, report: Report
    ) -> None:
        self.number: Final = number
        self.report: Final = report
        self.server: Final = ForkedServer(
            folder / "home", forks, segment_bytes_max=SEGMENT_BYTES_MAX
        )
        self.server.environment |= {**NO_RATE_LIMITS, **CHEAP, **(PRUNING if number % 2 else {})}
        self.shim: Final = Shim(self.server.wal_dir, folder / "shim")
        self.late = 0
        """Acknowledgements that came once a call had been spoiled."""
        self._seed: Final = seed
        self._folder: Final = folder

    async def rehearse(self, stages: int) -> list[Stage]:
        """Write the log once, without a fault; returns its stages."""
        found: list[Stage] = []
        ledger, shown = Ledger(0), dict[str, Json]()
        for number in range(stages):
            beginning = self._folder / f"stage-{number}"
            self.server.wal_dir.mkdir(exist_ok=True)
            shutil.copytree(self.server.wal_dir, beginning)
            remembered = pickle.dumps((ledger, shown))
            stage = Stage(number, beginning, remembered, [])
            await self.play(stage, ledger, Plan())
            calls = self.shim.trace()
            found.append(Stage(number, beginning, remembered, calls))
            self.report.rotations += sum(
                call.kind == "create" and call.name.endswith(".log") for call in calls
            )
            self.report.snapshots += sum(call.kind == "rename" for call in calls)
            self._check_snapshot()
            await self.start()
            await self.compare(stage, ledger, shown)
            await self.server.kill()
        return found

    async def play(self, stage: Stage, ledger: Ledger, plan: Plan) -> None:
        """Run a stage on what is in the directory, one call of it spoiled.

        Raises `ServerFailed` or `ConnectionLost` when the server did not live to its end.
        """
        await self.start(plan)
        async with await self.server.connect() as connection:
            if not stage.number and not ledger.sent:
                ledger.first_sequence = await last_sequence(connection)
            await self.load(stage, ledger, connection)
        await self.server.end(signal.SIGTERM)

    async def start(self, plan: Plan | None = None) -> None:
        """Start the server on what is there, without the shim's counting if there is no plan."""
        await self.spawn(plan)
        await self.server.wait_ready()

    async def spawn(self, plan: Plan | None) -> None:
        """The same without waiting until it serves."""
        self.server.more = {}
        if plan is not None:
            self.shim.reset()
            self.server.more = self.shim.plan_environment(plan)
        await self.server.spawn()

    async def load(self, stage: Stage, ledger: Ledger, connection: Connection) -> None:
        """The stage's commands, and at its end, now and then, a snapshot made by a child."""
        draw = Random(f"{self._seed} {self.number} {stage.number}")
        clients = [Client(name, Random(draw.random()), ledger) for name in self.names(stage)]
        for _ in range(REQUESTS_A_STAGE):
            client = draw.choice(clients)
            await self.request(client, ledger, connection)
        if stage.number % 4 == 1:
            await connection.request("POST", "/admin/snapshots")

    async def request(self, client: Client, ledger: Ledger, connection: Connection) -> None:
        """One request and its answers: 503 says that nobody knows."""
        sends, batch = client.next_request()
        if batch is None:
            answers = [(await ask(connection, sends[0]))[0]]
        else:
            reply = await connection.request("POST", "/orders/batch", batch)
            if reply.status == 503:
                return
            answers = answers_of(reply.body)
        for sent, answer in zip(sends, answers, strict=True):
            if answer.status != 503:
                self.late += self.shim.fired > 0
                self.report.findings += ledger.acknowledge(sent, answer)
                client.learn(sent)

    def names(self, stage: Stage) -> list[str]:
        """The stage's clients."""
        return [f"c{stage.number}-{client}" for client in range(CLIENTS)]

    async def compare(self, stage: Stage, ledger: Ledger, shown: dict[str, Json]) -> None:
        """Hold the running server to the ledger."""
        before = stage.recall()[0]
        comparison = Comparison(
            self.server,
            ledger,
            self.report,
            names=self.names(stage),
            first=len(before.sent),
            shown=shown,
            draw=Random(0),
            connections=2,
        )
        async with comparison.open_connections() as connections:
            if not ledger.sent:
                ledger.first_sequence = await last_sequence(connections[0])
            await comparison.compare(connections)

    def restore(self, directory: Path) -> None:
        """Put what is in `directory` in the place of the log."""
        shutil.rmtree(self.server.wal_dir)
        shutil.copytree(directory, self.server.wal_dir)

    def keep(self, name: str) -> Path:
        """Put the log aside as it is."""
        kept = self._folder / name
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.server.wal_dir, kept)
        return kept

    def digest(self) -> str:
        """Of every segment and snapshot, by name: what a recovery leaves."""
        digest = sha256()
        for file in sorted(self.server.wal_dir.iterdir()):
            if file.suffix in (".log", ".snap"):
                digest.update(f"{file.name} {file.stat().st_size}\n".encode())
                digest.update(file.read_bytes())
        return digest.hexdigest()

    def _check_snapshot(self) -> None:
        """The stop's snapshot is of the server's own state: memory and log must agree."""
        storage = PosixStorage(self.server.wal_dir)
        with closing(storage):
            seq = snapshots.seqs(storage)[-1]
            with closing(snapshots.read(storage, seq)) as reader:
                told = (seq, str(reader.info.meta["state_hash"]))
        if min(self.server.wal_dir.glob("wal-*.log")).name != f"wal-{1:020}.log":
            return  # pruned: there is no first record to replay from
        self.report.hashes_compared += 1
        replayed = replayed_hash(self.server.wal_dir, seq)
        if told != replayed:
            self.report.findings.append(Finding("differing", f"snapshot {told}; replay {replayed}"))
