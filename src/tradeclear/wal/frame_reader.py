"""Reading frames one after another, each verified against the one before it.

Nothing is believed before its checksum has been: a length beyond the greatest frame is refused
before anything is read for it, and a frame that is not valid ends the reading with a `Defect`,
which says what stood where a frame was expected. What a defect means is judged elsewhere.
"""

from typing import Final
from zlib import crc32

from msgspec import Struct

from tradeclear.wal.frame import (
    COVERED_BYTES,
    HEADER,
    HEADER_BYTES,
    MAGIC,
    Frame,
    payload_bytes_max,
)
from tradeclear.wal.storage import File

chunk_bytes: Final = 1024 * 1024


class Defect(Struct, frozen=True, kw_only=True):
    """Why the bytes at `offset` are not the frame that belongs there.

    `whole`: they are a valid frame, but not this one; no interrupted write leaves that behind.
    `unreadable`: the disk would not read them.
    """

    offset: int
    expected: str
    found: str
    whole: bool = False
    unreadable: bool = False


class FrameReader:
    """Reads the chain of frames in a file, from a position on.

    Can be asked again after it returned None: it looks anew at the place where it stopped.
    """

    __slots__ = (
        "_at",
        "_chunk_bytes",
        "_data",
        "_file",
        "checksum",
        "defect",
        "last_offset",
        "name",
        "offset",
    )

    def __init__(
        self,
        file: File,
        name: str,
        *,
        offset: int = 0,
        checksum: int | None = None,
        chunk_bytes: int = chunk_bytes,
    ) -> None:
        """Start at `offset`; `checksum` is that of the frame before, None to believe the first."""
        self.name = name
        self.offset = offset
        self.last_offset = offset
        self.checksum = checksum
        self.defect: Defect | None = None
        self._file = file
        self._chunk_bytes = chunk_bytes
        self._data = b""  # bytes that are in memory; the next frame begins at `_at`
        self._at = 0

    def next_frame(self) -> Frame | None:
        """Return the next frame, or None at the end of the file and at a defect (see `defect`)."""
        self.defect = None
        if len(self._data) - self._at < HEADER_BYTES and not self._buffer(HEADER_BYTES):
            self._end(HEADER_BYTES)
            return None
        magic, kind, length, count, first_seq, previous, checksum = HEADER.unpack_from(
            self._data, self._at
        )
        if magic != MAGIC or length > payload_bytes_max:
            self._refuse(*_why_no_header(magic, length))
            return None
        size = HEADER_BYTES + length
        if len(self._data) - self._at < size and not self._buffer(size):
            self._end(size)
            return None
        data, at = self._data, self._at
        payload = data[at + HEADER_BYTES : at + size]
        if crc32(payload, crc32(data[at : at + COVERED_BYTES])) != checksum:
            self._refuse(f"a frame with checksum {checksum:08x}", "bytes with another")
            return None
        frame = Frame(
            kind=kind,
            first_seq=first_seq,
            count=count,
            payload=payload,
            previous=previous,
            checksum=checksum,
            file=self.name,
            offset=self.offset,
        )
        in_chain = previous == self.checksum or self.checksum is None
        reason = self.refusal(frame) if in_chain else self._out_of_chain(previous)
        if reason is not None:
            self._refuse(*reason, whole=True)
            return None
        self.last_offset = self.offset
        self.offset += size
        self._at += size
        self.checksum = checksum
        return frame

    def refusal(self, frame: Frame) -> tuple[str, str] | None:
        """Say what is wrong (expected, found) with a valid frame at this place; None if nothing.

        A file's own rules come in by overriding this.
        """
        return None

    def _out_of_chain(self, previous: int) -> tuple[str, str]:
        return f"the frame that follows {self.checksum:08x}", f"one that follows {previous:08x}"

    def _buffer(self, length: int) -> bool:
        """Read at least `length` bytes from the current offset, if the file has them."""
        self._at = 0
        try:
            self._data = self._file.pread(self.offset, max(length, self._chunk_bytes))
        except OSError as error:
            self._refuse("readable bytes", str(error), unreadable=True)
        return len(self._data) >= length

    def _end(self, length: int) -> None:
        """The file ends before `length` bytes: cleanly if nothing is left."""
        rest = len(self._data)
        if rest and self.defect is None:
            self._refuse(f"a frame of at least {length} bytes", f"the file's last {rest} bytes")
        self._forget()

    def _forget(self) -> None:
        """Read again when asked again: the file may be growing."""
        self._data = b""
        self._at = 0

    def _refuse(
        self, expected: str, found: str, *, whole: bool = False, unreadable: bool = False
    ) -> None:
        self._forget()
        self.defect = Defect(
            offset=self.offset,
            expected=expected,
            found=found,
            whole=whole,
            unreadable=unreadable,
        )


def _why_no_header(magic: bytes, length: int) -> tuple[str, str]:
    if magic == MAGIC:
        return f"a payload of at most {payload_bytes_max} bytes", f"a length of {length}"
    if magic[:3] == MAGIC[:3]:
        return f"a frame of version {MAGIC[3]}", f"version {magic[3]}, of another release"
    return f"a frame (magic {MAGIC.hex()})", magic.hex()
