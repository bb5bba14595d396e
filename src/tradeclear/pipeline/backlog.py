"""The backlog: what is in the log already, read in pages, for whoever follows from further back."""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any, Final, Protocol

import trio

from tradeclear.model.events import Record
from tradeclear.model.units import Seq
from tradeclear.pipeline.ports import Threads
from tradeclear.pipeline.worker import THREADS
from tradeclear.wal.codec import decode_frame, whole

PAGE_RECORDS_MAX: Final = 256
"""So many records are decoded in one go: about a millisecond, for which others may have to wait."""

READERS_MAX: Final = 2
"""So many pages are read at the same time; other readers wait for their turn."""


class PastFrame(Protocol):
    """A frame of the log, as far as the backlog cares."""

    @property
    def payload(self) -> bytes:
        """The encoded records."""


class PastLog(Protocol):
    """The log, for reading. Blocking: called in a worker thread."""

    @property
    def first_seq(self) -> Seq:
        """The oldest record that is kept."""

    def frames(self, from_seq: Seq, to_seq: Seq | None = None) -> Iterator[Any]:
        """The frames that hold these records, all durable. Raises `wal.RecordPruned`."""


class Backlog:
    """The durable past of one partition."""

    def __init__(self, log: PastLog, threads: Threads = THREADS) -> None:
        self._log: Final = log
        self._threads: Final = threads
        self._turns: Final = trio.Semaphore(READERS_MAX)

    @property
    def first_seq(self) -> Seq:
        """The oldest record that can be read."""
        return self._log.first_seq

    def read(self, from_seq: Seq) -> "Pages":
        """Read from `from_seq` to what is durable when the first page is asked for."""
        return Pages(self._log, self._threads, self._turns, from_seq)


class Pages:
    """One pass through the log. For one task."""

    def __init__(
        self, log: PastLog, threads: Threads, turns: trio.Semaphore, from_seq: Seq
    ) -> None:
        self._threads: Final = threads
        self._turns: Final = turns
        self._records: Final = _records(log, from_seq)

    async def next(self) -> list[Record]:
        """The next page; empty at the end. Cancelled, the page that was under way is lost.

        Raises `wal.RecordPruned` if what comes next is gone, `LogDamaged`, `RecordUnreadable`.
        """
        async with self._turns:
            return await self._threads.run_sync(
                partial(list, islice(self._records, PAGE_RECORDS_MAX))
            )

    def close(self) -> None:
        """Let go of the log's files. No page may be under way."""
        self._records.close()


def _records(log: PastLog, from_seq: Seq) -> Any:
    """The records one by one; a generator, which holds its place between two pages."""
    for frame in log.frames(from_seq):
        for stored in decode_frame(frame.payload):
            if stored.seq >= from_seq:
                yield whole(stored)
