"""What the pipeline needs from outside, as protocols; the supervisor brings the real things."""

from collections.abc import Sequence
from typing import Protocol

from tradeclear.model.units import Micros, Seq


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
