"""A snapshot file: a head frame, the state in frames of one chunk each, and a footer.

The frames are those of the log (see `frame`), chained from checksum to checksum. The footer holds
what is known only at the end, the length of all chunks and the caller's `meta`, as JSON; the last
four bytes of the file are the length of that JSON, so that it can be found from the end.
"""

from collections.abc import Iterator
from struct import Struct as Layout
from typing import Any, Final

from msgspec import DecodeError, Struct
from msgspec import json as msgspec_json

from tradeclear.wal.errors import Damage, SnapshotDamaged, SnapshotNotFound
from tradeclear.wal.frame import (
    HEADER_BYTES,
    SNAPSHOT_CHUNK,
    SNAPSHOT_FOOTER,
    SNAPSHOT_HEAD,
    Frame,
    encode_frame,
    payload_bytes_max,
)
from tradeclear.wal.frame_reader import FrameReader
from tradeclear.wal.names import snapshot_name
from tradeclear.wal.storage import File, Storage

FORMAT: Final = b"tradeclear snapshot 1"
_LENGTH: Final = Layout("<I")
_write_bytes: Final = 1024 * 1024
_remedy: Final = (
    "Nothing was changed. Recovery takes an older snapshot if the log reaches back to it; else "
    "restore this one from a copy."
)


class SnapshotInfo(Struct, frozen=True, kw_only=True):
    """What a snapshot says of itself. `bytes` of the file, `state_bytes` of all chunks."""

    seq: int
    name: str
    bytes: int
    state_bytes: int
    chunks: int
    meta: dict[str, Any]


class _Footer(Struct, frozen=True, kw_only=True):
    bytes: int
    meta: dict[str, Any]


class SnapshotWriter:
    """Writes the frames of one snapshot into a new file, about a megabyte at a time."""

    def __init__(self, file: File, seq: int) -> None:
        self._file = file
        self._seq = seq
        self._chunks = 0
        self._state_bytes = 0
        self._checksum = 0
        self._size = 0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._put(SNAPSHOT_HEAD, 0, FORMAT)

    def add(self, chunk: bytes) -> None:
        """Write a chunk; `ValueError` beyond `payload_bytes_max`."""
        if len(chunk) > payload_bytes_max:
            raise ValueError(f"a chunk of {len(chunk)} bytes, at most {payload_bytes_max} fit")
        self._chunks += 1
        self._state_bytes += len(chunk)
        self._put(SNAPSHOT_CHUNK, self._chunks, chunk)

    def finish(self, meta: dict[str, Any]) -> SnapshotInfo:
        """Write the footer and sync the file."""
        footer = msgspec_json.encode(
            _Footer(bytes=self._state_bytes, meta=meta), order="deterministic"
        )
        self._put(SNAPSHOT_FOOTER, self._chunks, footer + _LENGTH.pack(len(footer)))
        self._flush()
        self._file.fdatasync()
        return SnapshotInfo(
            seq=self._seq,
            name=snapshot_name(self._seq),
            bytes=self._size,
            state_bytes=self._state_bytes,
            chunks=self._chunks,
            meta=meta,
        )

    def _put(self, kind: int, count: int, payload: bytes) -> None:
        frame, self._checksum = encode_frame(kind, self._seq, count, self._checksum, payload)
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        if self._waiting_bytes >= _write_bytes:
            self._flush()

    def _flush(self) -> None:
        self._file.pwrite(self._size, b"".join(self._waiting))
        self._size += self._waiting_bytes
        self._waiting.clear()
        self._waiting_bytes = 0


class SnapshotReader(FrameReader):
    """Reads one snapshot: `info` is there from the beginning, `chunks()` yields the state once."""

    __slots__ = ("_chunks", "_finished", "_seq", "_state_bytes", "info")

    def __init__(self, storage: Storage, seq: int) -> None:
        name = snapshot_name(seq)
        try:
            file = storage.open(name)
        except FileNotFoundError:
            raise SnapshotNotFound(f"{storage.directory} has no snapshot of {seq}") from None
        super().__init__(file, name, checksum=0)
        self._seq = seq
        self._chunks = 0
        self._state_bytes = 0
        self._finished = False
        try:
            self.info = self._read_info()
        except BaseException:
            file.close()
            raise

    def chunks(self) -> Iterator[bytes]:
        """Yield the chunks as they were written, each verified before.

        `SnapshotDamaged` in place of the first that is not what was written: what was read so far
        must be thrown away.
        """
        while (frame := self.next_frame()) is not None:
            if frame.kind == SNAPSHOT_CHUNK:
                self._chunks = frame.count
                self._state_bytes += len(frame.payload)
                yield frame.payload
            elif frame.kind == SNAPSHOT_FOOTER:
                self._finished = True
        if self.defect is not None:
            raise self._damaged(self.defect.offset, self.defect.expected, self.defect.found)
        if not self._finished:
            raise self._damaged(self.offset, "a chunk or the footer", "the end of the file")

    def refusal(self, frame: Frame) -> tuple[str, str] | None:
        """See `FrameReader`."""
        found = f"kind {frame.kind}, seq {frame.first_seq}, number {frame.count}"
        if self._finished:
            return "the end of the file after the footer", found
        if frame.first_seq != self._seq:
            return f"a frame of snapshot {self._seq}", found
        if frame.offset == 0:
            expected = f"the head of a snapshot ({FORMAT.decode()})"
            good = frame.kind == SNAPSHOT_HEAD and frame.payload == FORMAT
        elif frame.kind == SNAPSHOT_CHUNK:
            expected = f"chunk {self._chunks + 1}"
            good = frame.count == self._chunks + 1
        else:
            expected = f"the footer of {self._chunks} chunks, {self._state_bytes} bytes"
            footer = _decode_footer(frame)
            good = footer is not None and (frame.count, footer.bytes) == (
                self._chunks,
                self._state_bytes,
            )
        return None if good else (expected, found)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _read_info(self) -> SnapshotInfo:
        """Find the footer from the end; if it is not there, find out where the file goes wrong."""
        size = self._file.size()
        length = int.from_bytes(
            self._file.pread(max(0, size - _LENGTH.size), _LENGTH.size), "little"
        )
        offset = max(0, size - _LENGTH.size - length - HEADER_BYTES)
        frame = FrameReader(self._file, self.name, offset=offset).next_frame()
        footer = None if frame is None or frame.end != size else _decode_footer(frame)
        if frame is None or footer is None:
            for _ in self.chunks():
                pass
            raise self._damaged(offset, "the footer", "something else")
        return SnapshotInfo(
            seq=self._seq,
            name=self.name,
            bytes=size,
            state_bytes=footer.bytes,
            chunks=frame.count,
            meta=footer.meta,
        )

    def _damaged(self, offset: int, expected: str, found: str) -> SnapshotDamaged:
        return SnapshotDamaged(
            Damage(file=self.name, offset=offset, expected=expected, found=found, remedy=_remedy)
        )


def _decode_footer(frame: Frame) -> _Footer | None:
    """Return what the footer says, None if the frame is no footer."""
    if frame.kind != SNAPSHOT_FOOTER:
        return None
    try:
        return msgspec_json.decode(frame.payload[: -_LENGTH.size], type=_Footer)
    except DecodeError:
        return None
