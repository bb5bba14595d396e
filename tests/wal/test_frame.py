"""A frame is one join and one checksum over header and payload; what doesn't fit is refused."""

from zlib import crc32

import pytest

from tradeclear.wal.frame import (
    COVERED_BYTES,
    HEADER_BYTES,
    RECORDS,
    encode_frame,
    encode_records,
    frame_bytes_max,
    payload_bytes_max,
    records_bytes_max,
)


def test_header() -> None:
    frame, checksum = encode_frame(RECORDS, 7, 2, 0xABCD, b"payload")
    assert frame[:4] == b"\xf7TC\x01"
    assert [int.from_bytes(frame[at : at + 4], "little") for at in (4, 8, 12)] == [2, 7, 2]
    assert int.from_bytes(frame[16:24], "little") == 7
    assert int.from_bytes(frame[24:28], "little") == 0xABCD
    assert int.from_bytes(frame[28:32], "little") == checksum
    assert checksum == crc32(frame[:28] + b"payload")
    assert (COVERED_BYTES, HEADER_BYTES, frame[32:]) == (28, 32, b"payload")


def test_records_are_one_msgpack_array() -> None:
    assert encode_records([b"\x91\x01", b"\x91\x02"]) == b"\xdd\0\0\0\x02\x91\x01\x91\x02"


def test_greatest_frame() -> None:
    payload = encode_records([b"x" * records_bytes_max])
    assert len(payload) == payload_bytes_max
    assert len(encode_frame(RECORDS, 1, 1, 0, payload)[0]) == frame_bytes_max


def test_records_beyond_a_frame() -> None:
    with pytest.raises(ValueError, match="split"):
        encode_records([b"x" * records_bytes_max, b"x"])


def test_no_records() -> None:
    with pytest.raises(ValueError, match="at least one"):
        encode_records([])
