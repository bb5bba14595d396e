"""A segment: one file of the log. A head frame, frames of records, and a seal when it is full.

The head names the format and carries, as its `previous`, the checksum of the predecessor's seal, so
that the chain runs through all segments. The seal names the successor and counts the frames. Its
bytes follow from what is already there, which is why the successor's head can be written before
it: a seal that can be read names a segment that is durable.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from tradeclear.wal.frame import HEAD, HEADER_BYTES, RECORDS, SEAL, Frame, encode_frame
from tradeclear.wal.frame_reader import FrameReader, chunk_bytes
from tradeclear.wal.names import segment_name, segment_seq
from tradeclear.wal.storage import File

segment_bytes_max_default: Final = 64 * 1024 * 1024

FORMAT: Final = b"tradeclear wal 1"
HEAD_BYTES: Final = HEADER_BYTES + len(FORMAT)
SEAL_BYTES: Final = HEADER_BYTES + len(segment_name(0))


class SegmentInfo(Struct, frozen=True, kw_only=True):
    """What a segment holds; `last_seq` is `first_seq - 1` while it is empty, `bytes` its length."""

    name: str
    first_seq: int
    last_seq: int
    frames: int
    bytes: int
    sealed: bool

    @property
    def records(self) -> int:
        """Number of records in it."""
        return self.last_seq - self.first_seq + 1


def encode_head(first_seq: int, previous: int) -> tuple[bytes, int]:
    """Return the first frame of a segment, and its checksum."""
    return encode_frame(HEAD, first_seq, 0, previous, FORMAT)


def encode_seal(next_seq: int, frames: int, previous: int) -> tuple[bytes, int]:
    """Return the last frame of a segment whose successor begins at `next_seq`, and its checksum."""
    return encode_frame(SEAL, next_seq, frames, previous, segment_name(next_seq).encode())


class SegmentReader(FrameReader):
    """Reads one segment, each frame checked against the rules of its place.

    `next_seq` is the seq that must come next, None to believe the first frame. Once the seal has
    been read, `successor` is the first seq of the next segment and `seal_count` the frames that the
    seal counts; `frames_read` are those that were read.
    """

    __slots__ = ("frames_read", "next_seq", "seal_count", "successor")

    def __init__(
        self,
        file: File,
        name: str,
        *,
        offset: int = 0,
        next_seq: int | None = None,
        checksum: int | None = None,
        chunk_bytes: int = chunk_bytes,
    ) -> None:
        super().__init__(file, name, offset=offset, checksum=checksum, chunk_bytes=chunk_bytes)
        self.next_seq = segment_seq(name) if offset == 0 else next_seq
        self.successor: int | None = None
        self.seal_count = 0
        self.frames_read = 0

    def frames(self) -> Iterator[Frame]:
        """Yield frames of records until the seal, the end of the file or a defect.

        The position stands behind the frame that was yielded last.
        """
        while (frame := self.next_frame()) is not None:
            if frame.kind == RECORDS:
                self.frames_read += 1
                self.next_seq = frame.first_seq + frame.count
                yield frame
            elif frame.kind == SEAL:
                self.next_seq = self.successor = frame.first_seq
                self.seal_count = frame.count

    def refusal(self, frame: Frame) -> tuple[str, str] | None:
        """See `FrameReader`."""
        if self.successor is not None:
            return "the end of the file after the seal", "another frame"
        if self.next_seq is not None and frame.first_seq != self.next_seq:
            return f"record {self.next_seq}", f"a frame of record {frame.first_seq}"
        if frame.offset == 0:
            if frame.kind != HEAD or frame.payload != FORMAT:
                return f"the head of a segment ({FORMAT.decode()})", _describe(frame)
        elif frame.kind == SEAL:
            if frame.payload != segment_name(frame.first_seq).encode():
                return "a seal that names its successor", _describe(frame)
        elif frame.kind != RECORDS or frame.count == 0:
            return "a frame of records or a seal", _describe(frame)
        return None


def _describe(frame: Frame) -> str:
    return f"a frame of kind {frame.kind} with {frame.count} records: {frame.payload[:28]!r}"
