"""Where the frames of a segment begin: sparse, so that a record is found without a scan of it all.

One mark every `stride_bytes`: 16 bytes of memory for 16 KiB of log.
"""

from array import array
from bisect import bisect_right
from typing import Final

stride_bytes: Final = 16 * 1024


class SegmentIndex:
    """Marks of one segment: seq of a frame's first record, and the frame's offset.

    One thread notes, any thread finds: an offset is there before its seq is.
    """

    __slots__ = ("_next_mark", "_offsets", "_seqs")

    def __init__(self) -> None:
        self._seqs = array("Q")
        self._offsets = array("Q")
        self._next_mark = 0

    def note(self, first_seq: int, offset: int) -> None:
        """Take notice of a frame; frames come in their order."""
        if offset >= self._next_mark:
            self._next_mark = offset + stride_bytes
            self._offsets.append(offset)
            self._seqs.append(first_seq)

    def find(self, seq: int) -> tuple[int, int] | None:
        """Return (first seq, offset) of a frame at or before `seq`, None if no mark is."""
        place = bisect_right(self._seqs, seq) - 1
        return (self._seqs[place], self._offsets[place]) if place >= 0 else None

    def __len__(self) -> int:
        return len(self._seqs)
