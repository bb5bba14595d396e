"""The flusher: joins all records that wait into one group commit, one write and one fdatasync.

The sync runs in a worker thread, so that the matcher goes on meanwhile; what it then has made is
the next commit. The slower the disk, the larger the commits. On a disk that syncs faster than a
thread can be asked and heard, it runs in place (docs/decisions/0004-sync-in-place.md).
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import trio

from tradeclear.model.events import Record
from tradeclear.model.units import Seq
from tradeclear.pipeline.gate import CommitGate
from tradeclear.pipeline.pace import Pace
from tradeclear.pipeline.ports import RecordLog, Threads, Worker
from tradeclear.pipeline.publisher import Publisher
from tradeclear.telemetry.metrics import Metrics

QUEUE_RECORDS_MAX: Final = 20_000
"""So many records may wait for the disk before the matcher pauses."""

COMMIT_BYTES_MAX: Final = 8 * 1024 * 1024
"""A commit takes no further record once it is this large; a record is at most as large again."""


class CommitQueue:
    """Records that were decided and are not yet written, in order."""

    def __init__(self) -> None:
        self._encoded: deque[bytes] = deque()
        self._records: deque[Record] = deque()
        self._filled = trio.Event()
        self._room = trio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._encoded)

    def put(self, encoded: bytes, record: Record) -> None:
        """Add a record and its encoding. Never waits: see `wait_room`."""
        if not self._encoded:
            self._filled.set()
        self._encoded.append(encoded)
        self._records.append(record)

    async def wait_room(self) -> None:
        """Return when fewer than `QUEUE_RECORDS_MAX` records wait. Always a checkpoint."""
        while len(self._encoded) >= QUEUE_RECORDS_MAX:
            self._room = trio.Event()
            await self._room.wait()
        await trio.lowlevel.checkpoint()

    @contextmanager
    def closing(self) -> Iterator[None]:
        """The writer's side: when it ends, however it ends, the reader gets what is left."""
        try:
            yield
        finally:
            self._closed = True
            self._filled.set()

    async def take(self) -> tuple[list[bytes], list[Record]]:
        """All that waits, up to one commit's size; both empty when the queue is closed and done."""
        while not self._encoded and not self._closed:
            self._filled = trio.Event()
            await self._filled.wait()
        self._room.set()
        if sum(map(len, self._encoded)) <= COMMIT_BYTES_MAX:
            encoded, records = list(self._encoded), list(self._records)
            self._encoded.clear()
            self._records.clear()
            return encoded, records
        return self._take_some()

    def _take_some(self) -> tuple[list[bytes], list[Record]]:
        """One commit's size of what waits."""
        encoded: list[bytes] = []
        size = 0
        while self._encoded and size < COMMIT_BYTES_MAX:
            data = self._encoded.popleft()
            size += len(data)
            encoded.append(data)
        return encoded, [self._records.popleft() for _ in encoded]


class Flusher:
    """Makes records durable, then opens the gate and publishes them."""

    def __init__(
        self,
        *,
        log: RecordLog,
        queue: CommitQueue,
        gate: CommitGate,
        publisher: Publisher,
        metrics: Metrics,
        threads: Threads,
    ) -> None:
        self._log: Final = log
        self._queue: Final = queue
        self._gate: Final = gate
        self._publisher: Final = publisher
        self._metrics: Final = metrics
        self._threads: Final = threads
        self._pace: Final = Pace()

    async def run(self) -> None:
        """Commit until the queue is closed and empty.

        Any error of the log is final: every waiter is told that its outcome is unknown, and the
        error goes on to end the process. A commit that has begun is finished even if cancelled.
        """
        try:
            with self._threads.worker("flusher") as thread:
                while True:
                    encoded, records = await self._queue.take()
                    if not records:
                        return
                    await self._commit(thread, encoded, records)
                    await trio.lowlevel.checkpoint()
        finally:
            if len(self._queue) or len(self._gate):
                self._gate.fail()

    async def _commit(self, thread: Worker, encoded: list[bytes], records: list[Record]) -> None:
        append = partial(self._append, records[0].seq, encoded)
        in_place = self._pace.in_place
        try:
            if in_place:
                size, seconds = append()
            else:
                size, seconds = await thread.run_sync(append)
        except BaseException:
            self._gate.fail()
            raise
        self._pace.note(seconds, in_place=in_place)
        now = self._threads.seconds()
        metrics = self._metrics
        metrics.log_bytes += size
        metrics.log_sync_s.observe(seconds)
        metrics.log_batch_records.observe(len(records))
        self._gate.advance(records[-1].seq, now)
        self._publisher.publish(records)

    def _append(self, first_seq: Seq, encoded: list[bytes]) -> tuple[int, float]:
        """Write and sync, timed: bytes and seconds. Blocking."""
        started = self._threads.seconds()
        size = self._log.append(first_seq, encoded)
        return size, self._threads.seconds() - started
