"""A segment's frames stand in their places: head first, records without a gap, the seal last."""

import pytest

from tradeclear.wal.frame import HEAD, RECORDS, SEAL, encode_frame
from tradeclear.wal.names import segment_name
from tradeclear.wal.segment import (
    HEAD_BYTES,
    SEAL_BYTES,
    SegmentReader,
    encode_head,
    encode_seal,
)

from .memory_storage import MemoryStorage

HEAD_FRAME, HEAD_CHECKSUM = encode_head(5, 99)


def reader_of(*frames: bytes) -> SegmentReader:
    storage = MemoryStorage()
    storage.put("segment", b"".join(frames))
    return SegmentReader(storage.open("segment"), segment_name(5), checksum=99)


def test_lengths() -> None:
    assert len(HEAD_FRAME) == HEAD_BYTES == 48
    assert len(encode_seal(9, 2, 0)[0]) == SEAL_BYTES == 60


def test_records_then_seal() -> None:
    frame, checksum = encode_frame(RECORDS, 5, 4, HEAD_CHECKSUM, b"records")
    seal, sealed = encode_seal(9, 1, checksum)
    reader = reader_of(HEAD_FRAME, frame, seal)
    assert [(frame.first_seq, frame.last_seq) for frame in reader.frames()] == [(5, 8)]
    assert (reader.successor, reader.seal_count, reader.frames_read) == (9, 1, 1)
    assert (reader.checksum, reader.defect) == (sealed, None)


@pytest.mark.parametrize(
    ("kind", "first_seq", "count", "payload"),
    [
        (RECORDS, 6, 1, b"gap"),
        (RECORDS, 4, 1, b"again"),
        (RECORDS, 5, 0, b"none"),
        (HEAD, 5, 0, b"tradeclear wal 1"),
        (SEAL, 5, 0, b"wal-00000000000000000006.log"),
        (7, 5, 1, b"of a later release"),
    ],
)
def test_valid_frame_in_the_wrong_place(
    kind: int, first_seq: int, count: int, payload: bytes
) -> None:
    frame, _ = encode_frame(kind, first_seq, count, HEAD_CHECKSUM, payload)
    reader = reader_of(HEAD_FRAME, frame)
    assert list(reader.frames()) == []
    assert reader.defect is not None
    assert (reader.defect.offset, reader.defect.whole) == (HEAD_BYTES, True)


@pytest.mark.parametrize(
    "head",
    [
        encode_head(6, 99)[0],
        encode_head(5, 98)[0],
        encode_frame(HEAD, 5, 0, 99, b"tradeclear wal 2")[0],
        encode_frame(RECORDS, 5, 1, 99, b"no head")[0],
    ],
)
def test_wrong_head(head: bytes) -> None:
    reader = reader_of(head)
    assert list(reader.frames()) == []
    assert reader.defect is not None
    assert reader.defect.offset == 0


def test_frame_behind_the_seal() -> None:
    seal, sealed = encode_seal(5, 0, HEAD_CHECKSUM)
    frame, _ = encode_frame(RECORDS, 5, 1, sealed, b"records")
    reader = reader_of(HEAD_FRAME, seal, frame)
    assert list(reader.frames()) == []
    assert reader.defect is not None
    assert "seal" in reader.defect.expected
