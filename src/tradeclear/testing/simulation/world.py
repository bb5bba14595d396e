"""One seed: a machine with its disk, an exchange that is ended again and again, and its clients.

A life of the exchange ends in order, by the end of the process or of the power, at a moment or in
the middle of a call of the disk (also while it recovers, rotates, writes a snapshot, prunes), or on
an error of the disk. The next life finds what is left. At the end all is left in peace, every
client gets its answers, and the directory at rest is verified.
"""

from collections import Counter
from errno import EIO, ENOSPC
from random import Random
from typing import Final

import trio

from tradeclear.model.commands import Command
from tradeclear.model.errors import OutcomeUnknown, TradeclearError
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.outcome import Answer, Outcome
from tradeclear.testing.simulated_storage import READS, Fault, Killed, SimulatedStorage
from tradeclear.testing.simulation.client import Client, Lost
from tradeclear.testing.simulation.life import Life
from tradeclear.testing.simulation.scenario import THINK_S, End, Scenario
from tradeclear.testing.simulation.schedule import JumpingClock, Waiting
from tradeclear.testing.simulation.threads import SimulatedThreads
from tradeclear.testing.simulation.trace import Trace
from tradeclear.testing.simulation.witness import Violation, Witness
from tradeclear.wal.errors import LogFailed, SnapshotFailed

START_US: Final = 1_700_000_000_000_000
STUCK_S: Final = 300.0
"""So long, in virtual time, may everything take; what works takes about a second."""
ENDS: Final[tuple[End, ...]] = ("kill", "power cut", "power cut", "fault", "stop")
ATTEMPTS_MAX: Final = 50
"""Starts in a row that may fail on a disk in peace before that is a failure by itself."""


class World:
    """Everything that one seed makes."""

    def __init__(self, chosen: Scenario, clock: JumpingClock) -> None:
        self.trace: Final = Trace(clock)
        self.counts: Final[Counter[str]] = Counter()
        self._scenario: Final = chosen
        self._clock: Final = clock
        self._random: Final = Random(f"{chosen.seed}/machine")
        self._storage: Final = SimulatedStorage()
        self._threads: Final = SimulatedThreads(
            clock,
            Random(f"{chosen.seed}/disk"),
            disk_s=chosen.disk_s,
            stepwise_share=chosen.stepwise_share,
        )
        self._witness: Final = Witness(self._storage)
        self._life: Life | None = None
        self._lines: Final[list[Waiting]] = []
        self._clock_skew_us = 0
        self._storage.watch = self._see_call

    async def run(self) -> None:
        """Live through it all. Raises what went wrong, as it comes from Trio."""
        scenario = self._scenario
        with trio.move_on_after(STUCK_S) as time:
            async with trio.open_nursery() as nursery:
                done = trio.Event()
                nursery.start_soon(self._machine, done)
                async with trio.open_nursery() as clients:
                    for number in range(scenario.clients):
                        commands = scenario.commands // scenario.clients
                        client = Client(
                            f"client-{number}",
                            commands=commands,
                            scenario=scenario,
                            ask=self._ask,
                            witness=self._witness,
                            trace=self.trace,
                            clock=self._clock,
                        )
                        clients.start_soon(client.run)
                done.set()
        if time.cancelled_caught:
            raise Violation(f"after {STUCK_S} s somebody still waits for an answer")
        self._witness.check_directory()
        self.counts["records"] = self._witness.seq
        self.counts["told"] = len(self._witness.told)

    # The clients' side

    async def _ask(self, command: Command, patience_s: float) -> Answer:
        life = self._life
        if life is None or life.exchange is None or not life.alive:
            raise Lost
        line = Waiting()
        told: list[Answer] = []

        def reply(answer: Answer) -> None:
            if life.alive:
                told.append(answer)
                self._hear(answer)
            line.end()

        try:
            life.exchange.submit_nowait(command, reply)
        except TradeclearError as error:
            return error
        self._lines.append(line)
        try:
            await self._clock.wait(line, patience_s)
        finally:
            self._lines.remove(line)
        if not told:
            raise Lost
        return told[0]

    def _hear(self, answer: Answer) -> None:
        if isinstance(answer, Outcome):
            self.trace.add("told", answer.record.seq)
            self._witness.hear_record(answer.record)
            self.counts["answers"] += 1
            self.counts["repeated answers"] += answer.replayed
        elif not isinstance(answer, OutcomeUnknown):
            self.trace.add("told", repr(answer))

    def _hang_up(self) -> None:
        """The process is gone: whoever waits for it hears no more."""
        for line in self._lines:
            line.end()

    # The machine's side

    async def _machine(self, done: trio.Event) -> None:
        for _ in range(self._scenario.lives):
            if done.is_set():
                break
            await self._live(done, self._random.choice(ENDS))
            await self._clock.sleep(self._random.expovariate(1 / THINK_S))
        for _ in range(ATTEMPTS_MAX):
            if await self._live(done, None):
                break
        else:
            raise Violation(f"the exchange did not come up in {ATTEMPTS_MAX} attempts")
        self._storage.power_cut(self._random)

    async def _live(self, done: trio.Event, end: End | None) -> bool:
        """Live once; returns whether it ended in order."""
        scenario, storage = self._scenario, self._storage
        life = self._life = Life(
            storage=storage,
            threads=self._threads,
            clock=self._wall_clock,
            settings=scenario.settings,
            segment_bytes_max=scenario.segment_bytes_max,
            witness=self._witness,
        )
        self.counts["lives"] += 1
        self.trace.add("machine", f"a life that ends by {end}")
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop_when, done, life)
                self._plan(end, nursery, life)
                await life.run(self._administer)
                nursery.cancel_scope.cancel()
            ended = "in order"
        except BaseException as error:
            ended = self._why(error)
        self._end(end, life, ended)
        return ended == "in order"

    def _plan(self, end: End | None, nursery: trio.Nursery, life: Life) -> None:
        """Have this life end as chosen: in one of its calls, or at a moment."""
        random, storage = self._random, self._storage
        call = 1 + int(random.expovariate(1 / random.choice((3, 30, 100))))
        if end == "fault":
            for number in range(call, call + random.choice((1, 1, 3))):
                error = random.choice((EIO, ENOSPC))
                storage.faults[number] = Fault(error, random.choice((0.0, 0.5, 0.9, 1.0)))
        elif end == "stop":
            nursery.start_soon(self._stop_soon, life)
        elif end is not None and random.randrange(3):
            storage.faults[call] = Fault(None, random.choice((0.0, 0.5, 0.9, 1.0)))
        elif end is not None:
            nursery.start_soon(self._kill_soon)

    async def _stop_when(self, done: trio.Event, life: Life) -> None:
        await done.wait()
        life.stop.set()

    async def _stop_soon(self, life: Life) -> None:
        await self._some_time()
        life.stop.set()

    async def _kill_soon(self) -> None:
        await self._some_time()
        self._storage.ended = True
        self._hang_up()
        raise Killed

    async def _some_time(self) -> None:
        scenario = self._scenario
        commands = scenario.commands / (scenario.lives + 1) / scenario.clients
        await self._clock.sleep(self._random.expovariate(1 / (scenario.think_s * commands)))
        for _ in range(self._random.randrange(6)):
            await trio.lowlevel.checkpoint()

    async def _administer(self, exchange: Exchange) -> None:
        """Ask now and then for a snapshot, or for the state: all that it tells is durable."""
        self.trace.add("machine", "ready")
        life = self._life
        assert life is not None
        while True:
            await self._clock.sleep(self._random.expovariate(1 / (8 * self._scenario.think_s)))
            try:
                if self._random.randrange(3):
                    seq = await exchange.query(lambda engine: engine.seq)
                    if life.alive:
                        self._witness.hear_answer(seq)
                else:
                    await exchange.snapshot()
            except (SnapshotFailed, OutcomeUnknown) as error:
                self.trace.add("machine", f"administrator: {error}")
            except LogFailed:
                return

    def _why(self, error: BaseException) -> str:
        """How a life ended that did not end in order. Raises `error` if it may not end so."""
        kinds = {type(leaf) for leaf in leaves(error)} - {OutcomeUnknown}
        if self._storage.ended and Killed in kinds and kinds <= {Killed, LogFailed}:
            return "killed"
        if self._failing() and kinds and all(issubclass(k, LogFailed | OSError) for k in kinds):
            return "failed"
        raise error

    def _failing(self) -> bool:
        """Whether the disk has failed in this life."""
        return any(number <= self._storage.calls for number in self._storage.faults)

    def _end(self, end: End | None, life: Life, ended: str) -> None:
        random = self._random
        self.trace.add("machine", f"the life ended: {ended}")
        if life.metrics.tasks_restarted and not self._failing():
            raise Violation(f"a task had to be started again: {dict(life.metrics.tasks_restarted)}")
        self._count(life, ended)
        if end == "power cut" or not random.randrange(4):
            self.counts["power cuts"] += 1
            self.trace.add("machine", "power cut")
            self._storage.power_cut(random)
        else:
            self._storage.process_crash()
        self._clock_skew_us = random.choice((0, 0, 0, -3_600_000_000, 3_600_000_000))
        self._life = None
        self._hang_up()

    def _count(self, life: Life, ended: str) -> None:
        self.counts[f"lives {ended}"] += 1
        self.counts["snapshots"] += life.metrics.snapshots
        if life.opened is not None:
            log = life.opened.log
            self.counts["torn tails"] += log.recovery.torn is not None
            self.counts["unacknowledged records kept"] += life.learned

    def _see_call(self, call: str, name: str) -> None:
        if call in READS:
            self._threads.at_read()
            return
        self.trace.add("disk", (call, name))
        self._threads.at_call()
        if call == "create" and name.endswith(".log"):
            self.counts["segments"] += 1
        elif call == "unlink" and name.endswith(".log"):
            self.counts["prunings"] += 1

    def _wall_clock(self) -> int:
        return START_US + self._clock_skew_us + int(self._clock.now_s * 1_000_000)


def leaves(error: BaseException) -> list[BaseException]:
    """What was raised, out of the groups that Trio wraps it in."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]
