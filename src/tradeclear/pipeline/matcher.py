"""The matcher: the one task that stamps commands, applies them to the engine and encodes records.

It runs ahead of the disk: what it decides is handed to the flusher, and its answers to the gate.
"""

from collections import deque
from typing import Final

import trio

from tradeclear.core.engine import Engine
from tradeclear.core.idempotency import request_digest
from tradeclear.model import reasons
from tradeclear.model.commands import Command, Idempotency, PlaceOrder
from tradeclear.model.errors import KeyReused, Overloaded, Quarantined
from tradeclear.model.events import CommandRefused, Event, OrderPlaced, Record
from tradeclear.model.units import Micros, Seq
from tradeclear.pipeline.flusher import CommitQueue
from tradeclear.pipeline.gate import CommitGate
from tradeclear.pipeline.intake import Intake, Submission
from tradeclear.pipeline.outcome import Outcome, Reply
from tradeclear.pipeline.ports import Clock, Quarantine
from tradeclear.pipeline.replayer import Replay
from tradeclear.telemetry.metrics import Metrics
from tradeclear.wal.codec import encode_record

TURN_COMMANDS_MAX: Final = 256
"""So many commands are matched before other tasks get their turn: a millisecond or two."""


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
                    self._turn()
                    await self._queue.wait_room()

    def abandon(self) -> list[Submission]:
        """Give what was taken and will never be matched."""
        left = list(self._batch)
        self._batch.clear()
        return left

    def _turn(self) -> None:
        """Decide some of what waits. All of it is stamped with one time."""
        engine, batch = self.engine, self._batch
        now = max(self._clock(), engine.time)
        suspicious = len(self._quarantine) > 0
        trades = engine.next_trade_id
        for _ in range(min(TURN_COMMANDS_MAX, len(batch))):
            submission = batch.popleft()
            command = submission.command
            used = command.idempotency
            if used is not None and self._was_used(used, submission.reply):
                continue
            if suspicious and self._is_quarantined(command, submission.reply):
                continue
            self._apply(submission, command, now)
        self._metrics.trades += engine.next_trade_id - trades

    def _was_used(self, used: Idempotency, reply: Reply) -> bool:
        """Whether the key was used before; then `reply` is answered."""
        try:
            earlier = self.engine.find_duplicate(used)
        except KeyReused as error:
            # Its traceback holds frames and so `reply`, which the collector can't see into: whoever
            # keeps the error beside `reply` would keep all of it for ever.
            self._gate.answer(self.engine.seq, reply, error.with_traceback(None))
            return True
        if earlier is None:
            return False
        try:
            self._replays.send_nowait(Replay(earlier, reply))
        except trio.WouldBlock:
            self._gate.answer(self.engine.seq, reply, Overloaded())
        return True

    def _is_quarantined(self, command: Command, reply: Reply) -> bool:
        """Whether the command stopped the exchange before; then `reply` is answered."""
        digest = request_digest(command)
        if digest not in self._quarantine:
            return False
        self._gate.answer(self.engine.seq, reply, Quarantined(digest.hex()))
        return True

    def _apply(self, submission: Submission, command: Command, now: Micros) -> None:
        """Decide one command: its record goes to the flusher, its answer to the gate."""
        engine, reply = self.engine, submission.reply
        seq = engine.seq + 1
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
        self._gate.hold(seq, reply, Outcome(record), submission.since)
        if type(command) is PlaceOrder:
            self._count(events[0])

    def _give_up(self, seq: Seq, command: Command, reply: Reply, error: Exception) -> None:
        """Refuse this command in the future, and tell everybody who waits that we don't know."""
        self._gate.fail()
        self._gate.answer(seq, reply, None)
        self._quarantine.add(request_digest(command), seq=seq, problem=repr(error))

    def _count(self, placed: Event) -> None:
        """Note what became of an order."""
        metrics = self._metrics
        metrics.orders_received += 1
        if type(placed) is OrderPlaced:
            if placed.notional:
                metrics.orders_matched += 1
            if placed.status == "rejected":
                metrics.orders_rejected[reasons.NAMES[placed.reason]] += 1
        elif type(placed) is CommandRefused:
            metrics.orders_rejected[reasons.NAMES[placed.reason]] += 1
