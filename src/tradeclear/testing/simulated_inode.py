"""A file's content on the simulated disk: what is durable, what is seen, what lies between."""

from random import Random
from typing import Final

SECTOR_BYTES: Final = (64, 512)
"""What a power cut tears a write into: small ones too, for test logs have small frames."""

_TORN_AT_BYTE: Final = 0.3
"""How often the last write is cut off at some byte instead: the file's length is what was torn."""


class Inode:
    """A file's content: `None` data in a pending change is a truncation to its offset."""

    __slots__ = ("cached", "durable", "pending")

    def __init__(self) -> None:
        self.durable = bytearray()
        self.cached = bytearray()
        self.pending: list[tuple[int, bytes | None]] = []

    def change(self, offset: int, data: bytes | None) -> None:
        """Show a change; it is durable after `sync`."""
        _change(self.cached, offset, data)
        self.pending.append((offset, data))

    def sync(self) -> None:
        """Make durable what has changed since the last sync, good or bad, and only that."""
        for offset, data in self.pending:
            _change(self.durable, offset, data)
        self.pending.clear()

    def forget(self) -> None:
        """Drop the data that a failed sync did not write; its length is written with the next."""
        self.pending = [change for change in self.pending if change[1] is None]

    def cut_power(self, random: Random, kept: float, sector_bytes: int) -> None:
        """Leave what a machine finds that was without power for a moment."""
        last = len(self.pending) - 1
        for number, (offset, data) in enumerate(self.pending):
            if data is not None and number == last and random.random() < _TORN_AT_BYTE:
                self._end_within(offset, data[: random.randint(0, len(data))], sector_bytes)
                continue
            for start, piece in _sectors(offset, data, sector_bytes):
                if random.random() < kept:
                    _change(self.durable, start, piece)
        self.pending.clear()
        if len(self.durable) < len(self.cached) and random.random() < kept:
            zeros = random.randint(len(self.durable), len(self.cached)) - len(self.durable)
            self.durable += bytes(zeros)
        self.cached = bytearray(self.durable)

    def _end_within(self, offset: int, data: bytes, sector_bytes: int) -> None:
        """The file ends within a sector; one that has more behind it was written whole, or not."""
        end = offset + len(data)
        if end < len(self.durable):
            end -= end % sector_bytes
        if end > offset:
            _change(self.durable, offset, data[: end - offset])


def _change(content: bytearray, offset: int, data: bytes | None) -> None:
    if len(content) < offset:
        content += bytes(offset - len(content))
    if data is None:
        del content[offset:]
    else:
        content[offset : offset + len(data)] = data


def _sectors(offset: int, data: bytes | None, sector_bytes: int) -> list[tuple[int, bytes | None]]:
    """A change in the pieces that reach the disk, or not, each by itself."""
    if data is None:
        return [(offset, None)]
    pieces: list[tuple[int, bytes | None]] = []
    start, end = offset, offset + len(data)
    while start < end:
        stop = min(end, start - start % sector_bytes + sector_bytes)
        pieces.append((start, data[start - offset : stop - offset]))
        start = stop
    return pieces
