"""Records out of frames, and where in the log a time begins."""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import msgspec
from msgspec import Struct

from tradeclear.model.events import Record
from tradeclear.model.units import Micros, Seq
from tradeclear.wal.codec import CODEC_VERSION, RecordUnreadable
from tradeclear.wal.cursor import Cursor
from tradeclear.wal.frame import HEADER, HEADER_BYTES, MAGIC, RECORDS, Frame, payload_bytes_max
from tradeclear.wal.frame_reader import FrameReader
from tradeclear.wal.names import segment_names, segment_seq
from tradeclear.wal.segment import SegmentInfo
from tradeclear.wal.storage import File, Storage

_window_bytes: Final = 64 * 1024
_END_OF_TIME: Final[Micros] = 1 << 63

_decode_records = msgspec.msgpack.Decoder(list[Record]).decode


class _Stamp(Struct, frozen=True, array_like=True, gc=False):
    """The beginning of a record."""

    seq: Seq
    time: Micros


_decode_stamps = msgspec.msgpack.Decoder(list[_Stamp]).decode


def records_of(frame: Frame) -> list[Record]:
    """The records of a frame, events and all. Raises `RecordUnreadable`."""
    try:
        return _decode_records(frame.payload)
    except msgspec.MsgspecError as error:
        raise RecordUnreadable(
            f"{frame.file} at byte {frame.offset}: codec version {CODEC_VERSION} can't read the "
            f"records {frame.first_seq} to {frame.last_seq}: {error}"
        ) from error


def times_of(frame: Frame) -> list[Micros]:
    """The times of a frame's records. Raises `RecordUnreadable`."""
    try:
        return [stamp.time for stamp in _decode_stamps(frame.payload)]
    except msgspec.MsgspecError as error:
        raise RecordUnreadable(f"{frame.file} at byte {frame.offset}: {error}") from error


def first_time(storage: Storage, segment_seq: Seq) -> Micros | None:
    """The time of the first record of the segment that begins with it; None if there is none."""
    with closing(Cursor(storage, segment_seq, chunk_bytes=_window_bytes)) as cursor:
        frame = next(cursor.frames(), None)
    return None if frame is None else times_of(frame)[0]


def last_time(storage: Storage, segment: SegmentInfo) -> Micros | None:
    """The time of a segment's last record; None if there is none. Reads the segment's end only."""
    if segment.frames == 0:
        return None
    with closing(storage.open(segment.name)) as file:
        for frame in _frames_backwards(file, segment):
            if frame.kind == RECORDS and frame.last_seq == segment.last_seq:
                return times_of(frame)[-1]
    return None


def seq_of_time(storage: Storage, time: Micros) -> Seq:
    """The first seq of a segment before which no record is as late as `time`."""
    seqs = [segment_seq(name) for name in segment_names(storage.names())]
    place = bisect_left(seqs, time, key=lambda seq: _begins(storage, seq))
    return seqs[max(0, place - 1)] if seqs else 1


def _begins(storage: Storage, seq: Seq) -> Micros:
    time = first_time(storage, seq)
    return _END_OF_TIME if time is None else time


def _frames_backwards(file: File, segment: SegmentInfo) -> Iterator[Frame]:
    """Valid frames of a file, the last one first. A frame's beginning is found by its magic."""
    end = segment.bytes
    while end > 0:
        start = max(0, end - _window_bytes)
        window = file.pread(start, end - start + HEADER_BYTES)
        at = window.rfind(MAGIC, 0, end - start + len(MAGIC) - 1)
        while at >= 0:
            if _is_header(window[at : at + HEADER_BYTES]):
                frame = FrameReader(file, segment.name, offset=start + at).next_frame()
                if frame is not None:
                    yield frame
            at = window.rfind(MAGIC, 0, at + len(MAGIC) - 1)
        end = start


def _is_header(data: bytes) -> bool:
    return len(data) == HEADER_BYTES and HEADER.unpack(data)[2] <= payload_bytes_max
