"""The matcher: the one task that stamps commands, applies them to the engine and encodes records.

It runs ahead of the disk: what it decides is handed to the flusher, and its answers to the gate.
"""

from collections import deque
from typing import Final

import trio

from tradeclear.core.engine import Engine
from tradeclear.core.idempotency import request_digest
from tradeclear.model import reasons
from tradeclear.model.commands import Command, PlaceOrder
from tradeclear.model.errors import KeyReused, Overloaded, Quarantined
from tradeclear.model.events import CommandRefused, Event, OrderPlaced, Record, TradeExecuted
from tradeclear.model.units import Seq
from tradeclear.pipeline.flusher import CommitQueue
from tradeclear.pipeline.gate import CommitGate
from tradeclear.pipeline.intake import Intake, Submission
from tradeclear.pipeline.outcome import Outcome, Reply
from tradeclear.pipeline.ports import Clock, Quarantine
from tradeclear.pipeline.replayer import Replay
from tradeclear.telemetry.metrics import Metrics
from tradeclear.wal.codec import encode_record

TURN_COMMANDS_MAX: Final = 256
"""So many commands are matched before other tasks get their turn: about half a millisecond."""


class EngineFailed(Exception):
    """`apply` raised: a bug. The state in memory is unusable and the process must end."""


class Matcher:
    """Applies submissions in order. The engine belongs to it alone; others only read."""

    def __init__(
        self,
        *,
        engine: Engine,
        clock: Clock,
        queue: CommitQueue,
        gate: CommitGate,
        replays: trio.MemorySendChannel[Replay],
        quarantine: Quarantine,
        metrics: Metrics,
    ) -> None:
        self.engine: Final = engine
        self._clock: Final = clock
        self._queue: Final = queue
        self._gate: Final = gate
        self._replays: Final = replays
        self._quarantine: Final = quarantine
        self._metrics: Final = metrics
        self._batch: Final[deque[Submission]] = deque()

    async def run(self, intake: Intake) -> None:
        """Match until `intake` is closed and empty. Raises `EngineFailed`.

        Cancelled, it stops between two turns: what was matched is with the flusher.
        """
        with self._queue.closing():
            while True:
                try:
                    self._batch.extend(await intake.take())
                except trio.EndOfChannel:
                    return
                while self._batch:
                    for _ in range(min(TURN_COMMANDS_MAX, len(self._batch))):
                        self._take(self._batch.popleft())
                    await self._queue.wait_room()

    def abandon(self) -> list[Submission]:
        """Give what was taken and will never be matched."""
        left = list(self._batch)
        self._batch.clear()
        return left

    def _take(self, submission: Submission) -> None:
        """Decide one command, or find that it was decided before."""
        command, reply = submission.command, submission.reply
        used = command.idempotency
        if used is not None:
            try:
                earlier = self.engine.find_duplicate(used)
            except KeyReused as error:
                # Its traceback holds this frame and so `submission`, which the collector can't see
                # into: whoever keeps the error beside `reply` would keep all of it for ever.
                self._gate.answer(self.engine.seq, reply, error.with_traceback(None))
                return
            if earlier is not None:
                self._replay(earlier, reply)
                return
        if len(self._quarantine):
            digest = request_digest(command)
            if digest in self._quarantine:
                self._gate.answer(self.engine.seq, reply, Quarantined(digest.hex()))
                return
        record = self._apply(command, reply)
        self._gate.answer(record.seq, reply, Outcome(record), submission.since)

    def _apply(self, command: Command, reply: Reply) -> Record:
        engine = self.engine
        seq = engine.seq + 1
        now = max(self._clock(), engine.time)
        try:
            events = engine.apply(seq, now, command)
            record = Record(seq, now, command, events)
            encoded = encode_record(record)
        except Exception as error:
            try:
                self._give_up(seq, command, reply, error)
            finally:
                raise EngineFailed(f"record {seq}: {error!r}") from error
        self._queue.put(encoded, record)
        self._count(command, events)
        return record

    def _give_up(self, seq: Seq, command: Command, reply: Reply, error: Exception) -> None:
        """Refuse this command in the future, and tell everybody who waits that we don't know."""
        self._gate.fail()
        self._gate.answer(seq, reply, None)
        self._quarantine.add(request_digest(command), seq=seq, problem=repr(error))

    def _replay(self, seq: Seq, reply: Reply) -> None:
        try:
            self._replays.send_nowait(Replay(seq, reply))
        except trio.WouldBlock:
            self._gate.answer(self.engine.seq, reply, Overloaded())

    def _count(self, command: Command, events: tuple[Event, ...]) -> None:
        metrics = self._metrics
        if len(events) > 2:
            metrics.trades += sum(type(event) is TradeExecuted for event in events)
        if type(command) is not PlaceOrder:
            return
        metrics.orders_received += 1
        placed = events[0]
        if type(placed) is OrderPlaced:
            if placed.notional:
                metrics.orders_matched += 1
            if placed.status == "rejected":
                metrics.orders_rejected[reasons.NAMES[placed.reason]] += 1
        elif type(placed) is CommandRefused:
            metrics.orders_rejected[reasons.NAMES[placed.reason]] += 1
