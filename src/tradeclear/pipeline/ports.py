"""What the pipeline needs from outside, as protocols; the supervisor brings the real things."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from tradeclear.model.units import Micros, Seq
from tradeclear.pipeline.book_image import BookImage

T = TypeVar("T")


class RecordLog(Protocol):
    """The write-ahead log. Blocking: called in a worker thread."""

    def append(self, first_seq: Seq, records: Sequence[bytes]) -> int:
        """Write and sync one group commit; returns its bytes. Any error is final."""

    def read(self, seq: Seq) -> bytes:
        """One durable record. Raises `wal.RecordNotFound` or `wal.RecordPruned`."""


class Clock(Protocol):
    """Wall time, where the pipeline stamps records."""

    def __call__(self) -> Micros:
        """Microseconds since 1970, which may jump; the matcher keeps them from decreasing."""


class Quarantine(Protocol):
    """Digests of commands that once stopped the exchange."""

    def __contains__(self, digest: bytes) -> bool:
        """Whether the command is refused."""

    def __len__(self) -> int:
        """How many there are; usually none, and then no digest is computed."""

    def add(self, digest: bytes, *, seq: Seq, problem: str) -> None:
        """Refuse the command from now on, durably."""


class Worker(Protocol):
    """Makes one blocking call at a time, for one task."""

    async def run_sync(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises. A cancelled caller waits for it all the same."""


class Threads(Protocol):
    """Where blocking calls are made, so that the tasks go on meanwhile."""

    def worker(self, name: str) -> AbstractContextManager[Worker]:
        """A worker for one task's many calls, for as long as the block."""

    async def run_sync(self, call: Callable[[], T]) -> T:
        """What a single `call` returns or raises. A cancelled caller waits for it all the same."""

    def seconds(self) -> float:
        """A monotonic clock, by which calls are timed. From any thread."""


class BookSource(Protocol):
    """An order book that others may take copies of: one of ours, or an outside venue's."""

    async def image(self, levels_max: int) -> BookImage | None:
        """The best levels, durable if they are ours; None while nothing is known."""

    def on_change(self, told: Callable[[], None]) -> None:
        """Have `told` called after a change, or after several: what there is then may be newer.

        It is quick, and it is called in the task that made the change.
        """


class BookCopies(Protocol):
    """Copies of books, kept up to date elsewhere."""

    def names(self) -> Sequence[str]:
        """Whose copies there are, ours first. Raises `CopyUnavailable`."""

    async def image(self, name: str, levels_max: int) -> BookImage:
        """The best levels, all of one moment. Raises `CopyUnavailable`."""

    async def newer_top(self, name: str, than: BookImage | None) -> BookImage:
        """The newest best levels, as soon as they are not `than` any more.

        Raises `CopyUnavailable`, also when that comes to be while it waits.
        """
