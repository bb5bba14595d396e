"""The snapshotter: now and then, and when asked, it has the state written down.

How a snapshot is made is not its business (docs/decisions/0003-snapshots.md says how and why);
when, one at a time, and what to tell about it, is.
"""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Final, Protocol

import trio
from msgspec import Struct

from tradeclear.model.units import Seq
from tradeclear.pipeline.partition import Partition
from tradeclear.telemetry.events import SNAPSHOT_FAILED, SNAPSHOT_WRITTEN
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics
from tradeclear.wal.errors import LogFailed, SnapshotFailed


class SnapshotInfo(Struct, frozen=True):
    """A snapshot on disk. `duration_s` is how long it took to make, `created_at` RFC 3339."""

    seq: Seq
    file: str
    bytes: int
    duration_s: float
    state_hash: str
    created_at: str


class SnapshotStore(Protocol):
    """Makes snapshots of a partition's log and lists them."""

    async def make(self, seq: Seq) -> SnapshotInfo:
        """Write the state after record `seq`, durable. Raises `SnapshotFailed`."""

    async def list(self) -> list[SnapshotInfo]:
        """What is on disk, newest first."""


class Snapshotter:
    """Takes snapshots of one partition, one at a time."""

    def __init__(
        self,
        *,
        partition: Partition,
        store: SnapshotStore,
        interval_s: float,
        last_seq: Seq,
        metrics: Metrics,
        after: Callable[[], Awaitable[None]],
    ) -> None:
        self._partition: Final = partition
        self._store: Final = store
        self._interval_s: Final = interval_s
        self._metrics: Final = metrics
        self._after: Final = after
        self._one: Final = trio.Lock()
        self.last_seq = last_seq
        self.state = "idle"
        self._failure: LogFailed | None = None
        self._fatal: Final = trio.Event()

    async def run(self) -> None:
        """Take one every `interval_s` seconds if anything changed. Failures are logged.

        Raises `LogFailed`, also for one that was asked for elsewhere.
        """
        while True:
            with trio.move_on_after(self._interval_s):
                await self._fatal.wait()
            if self._failure is not None:
                raise self._failure
            if self._partition.engine.seq == self.last_seq:
                continue
            try:
                await self.take()
            except SnapshotFailed as error:
                log.error(SNAPSHOT_FAILED, problem=str(error))

    async def take(self) -> SnapshotInfo:
        """Write a snapshot of everything decided so far. Raises `SnapshotFailed`, `OutcomeUnknown`.

        Waits for its turn. Cancelled, no snapshot is left behind; older ones stay.
        """
        async with self._one:
            seq = self._partition.engine.seq
            await self._partition.gate.wait_durable(seq)
            self.state = "writing"
            started = perf_counter()
            after = "the last one failed"
            try:
                info = await self._store.make(seq)
                after = "idle"
            except LogFailed as error:
                self._fail(error)
                raise
            finally:
                self.state = after
            self.last_seq = seq
            self._metrics.snapshots += 1
            self._metrics.snapshot_seconds_last = perf_counter() - started
            log.info(SNAPSHOT_WRITTEN, seq=seq, seconds=round(info.duration_s, 3), file=info.file)
            try:
                await self._after()
            except LogFailed as error:
                self._fail(error)
                raise
            return info

    def _fail(self, error: LogFailed) -> None:
        """An error of the log is final, whoever asked for the snapshot: `run` ends with it."""
        self._failure = error
        self._fatal.set()

    async def list(self) -> list[SnapshotInfo]:
        """The snapshots on disk, newest first."""
        return await self._store.list()
