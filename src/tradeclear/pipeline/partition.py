"""A partition: a set of instruments with one channel, one matcher, one log and one total order."""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import trio

from tradeclear.core.engine import Engine
from tradeclear.model.commands import Command
from tradeclear.model.errors import OutcomeUnknown
from tradeclear.pipeline.flusher import CommitQueue, Flusher
from tradeclear.pipeline.gate import CommitGate
from tradeclear.pipeline.intake import Intake
from tradeclear.pipeline.matcher import Matcher
from tradeclear.pipeline.outcome import Reply
from tradeclear.pipeline.ports import Clock, Quarantine, RecordLog, Threads
from tradeclear.pipeline.publisher import Publisher
from tradeclear.pipeline.replayer import REPLAYS_MAX, Replay, Replayer
from tradeclear.pipeline.worker import THREADS
from tradeclear.telemetry.metrics import Metrics

T = TypeVar("T")


class Partition:
    """One recovered engine and the tasks that move it on."""

    def __init__(
        self,
        *,
        engine: Engine,
        log: RecordLog,
        clock: Clock,
        quarantine: Quarantine,
        metrics: Metrics,
        input_channel_max: int,
        threads: Threads = THREADS,
    ) -> None:
        self.engine: Final = engine
        self.gate: Final = CommitGate(engine.seq, metrics.order_latency_s)
        self.publisher: Final = Publisher(engine.seq)
        self.stopped: Final = trio.Event()
        """Set when `run` has ended."""
        self._intake: Final = Intake(input_channel_max)
        self._replays_send, self._replays = trio.open_memory_channel[Replay](REPLAYS_MAX)
        queue = CommitQueue()
        self._matcher: Final = Matcher(
            engine=engine,
            clock=clock,
            queue=queue,
            gate=self.gate,
            replays=self._replays_send,
            quarantine=quarantine,
            metrics=metrics,
        )
        self._flusher: Final = Flusher(
            log=log,
            queue=queue,
            gate=self.gate,
            publisher=self.publisher,
            metrics=metrics,
            threads=threads,
        )
        self._replayer: Final = Replayer(
            engine=engine, log=log, gate=self.gate, metrics=metrics, threads=threads
        )

    async def run(self) -> None:
        """Serve until `stop` has been called and everything taken is durable and answered.

        An exception from here is final: every waiter has been told that its outcome is unknown.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._flusher.run)
                nursery.start_soon(partial(self._replayer.run, self._replays))
                async with self._replays_send:
                    await self._matcher.run(self._intake)
        finally:
            self._abandon()
            self.publisher.close()
            self.stopped.set()

    def _abandon(self) -> None:
        """Whoever still waits to be matched is told what all the others were told."""
        left = self._matcher.abandon() + self._intake.abandon()
        if left:
            self.gate.fail()
        for submission in left:
            self.gate.answer(self.engine.seq, submission.reply, None)

    def stop(self) -> None:
        """Take no further commands; what was taken is finished."""
        self._intake.close()

    def submit_nowait(self, command: Command, reply: Reply) -> None:
        """Queue `command`; `reply` is called once, when the answer is durable.

        Raises `Overloaded` if the input channel is full, `Stopping` or `OutcomeUnknown` if the
        exchange takes nothing any more; then nothing was taken and `reply` is not called.
        """
        if self.gate.failed:
            raise OutcomeUnknown("the exchange is stopping after a failure")
        self._intake.put_nowait(command, reply)

    async def query(self, read: Callable[[Engine], T]) -> T:
        """What `read` makes of the state now, once everything that it may have seen is durable."""
        found = read(self.engine)
        await self.gate.wait_durable(self.engine.seq)
        return found

    @property
    def full(self) -> bool:
        """Whether `submit_nowait` would raise `Overloaded`."""
        return self._intake.full

    def waiting(self) -> int:
        """How many commands wait to be matched."""
        return len(self._intake)
