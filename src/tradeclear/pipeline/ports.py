"""What the pipeline needs from outside, as protocols; the supervisor brings the real things."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from tradeclear.model.units import Micros, Seq

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
