"""The replayer: answers repeated idempotency keys with the record that the log holds."""

from functools import partial
from typing import Final, NamedTuple

import trio

from tradeclear.core.engine import Engine
from tradeclear.model.commands import PlaceOrder
from tradeclear.model.errors import AgedOut, OutcomeUnknown, TradeclearError
from tradeclear.model.events import CommandRefused, OrderAmended, OrderCancelled, Record
from tradeclear.model.units import Seq
from tradeclear.pipeline.gate import CommitGate
from tradeclear.pipeline.outcome import Outcome, Reply
from tradeclear.pipeline.ports import RecordLog, Threads
from tradeclear.telemetry.events import REPLAY_FAILED
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics
from tradeclear.wal.codec import RecordUnreadable, decode_record
from tradeclear.wal.errors import LogDamaged, RecordNotFound

REPLAYS_MAX: Final = 10_000
"""So many repeated requests may wait for their answer; more are told to come again."""


class Replay(NamedTuple):
    """Somebody wants to hear again what record `seq` said."""

    seq: Seq
    reply: Reply


class Replayer:
    """Reads old records, one at a time, once they are durable."""

    def __init__(
        self,
        *,
        engine: Engine,
        log: RecordLog,
        gate: CommitGate,
        metrics: Metrics,
        threads: Threads,
    ) -> None:
        self._engine: Final = engine
        self._log: Final = log
        self._gate: Final = gate
        self._metrics: Final = metrics
        self._threads: Final = threads

    async def run(self, replays: trio.MemoryReceiveChannel[Replay]) -> None:
        """Answer until `replays` is closed and empty."""
        async for replay in replays:
            answer = await self._answer(replay.seq)
            self._gate.answer(self._gate.durable, replay.reply, answer)

    async def _answer(self, seq: Seq) -> Outcome | TradeclearError:
        try:
            await self._gate.wait_durable(seq)
            data = await self._threads.run_sync(partial(self._log.read, seq))
            record = decode_record(data)
        except OutcomeUnknown as error:
            return error
        except (LogDamaged, RecordUnreadable, OSError) as error:
            log.error(REPLAY_FAILED, seq=seq, problem=str(error))
            return OutcomeUnknown(f"the reply is record {seq}, which can't be read: see the log")
        except RecordNotFound:
            return AgedOut(f"the reply was record {seq}, which the log holds no more")
        if seq < self._engine.grid_since.get(_instrument(record), 0):
            return AgedOut(f"the reply was record {seq}, in ticks and lots of before")
        self._metrics.replies_replayed += 1
        return Outcome(record, replayed=True)


def _instrument(record: Record) -> str:
    """The instrument whose ticks and lots the record counts in, "" if it has none."""
    if isinstance(record.command, PlaceOrder):
        return record.command.instrument
    for event in record.events:
        if isinstance(event, OrderCancelled | OrderAmended):
            return event.order.instrument
        if isinstance(event, CommandRefused) and event.order is not None:
            return event.order.instrument
    return ""
