"""No byte is believed before its checksum, and no length beyond a frame is read for."""

import pytest

from tradeclear.wal.frame import RECORDS, encode_frame
from tradeclear.wal.frame_reader import FrameReader

from .memory_storage import MemoryFile, MemoryStorage


def chain(*payloads: bytes) -> bytes:
    """Return frames, one after another."""
    frames, checksum = [], 0
    for number, payload in enumerate(payloads):
        frame, checksum = encode_frame(RECORDS, number + 1, 1, checksum, payload)
        frames.append(frame)
    return b"".join(frames)


def file_of(content: bytes) -> MemoryFile:
    storage = MemoryStorage()
    storage.put("file", content)
    return storage.open("file")


def read(reader: FrameReader) -> list[bytes]:
    payloads = []
    while (frame := reader.next_frame()) is not None:
        payloads.append(frame.payload)
    return payloads


@pytest.mark.parametrize("chunk_bytes", [1, 33, 1000])
def test_frames_across_chunks(chunk_bytes: int) -> None:
    payloads = [b"", b"a" * 10, b"b" * 100, b"", b"c"]
    reader = FrameReader(file_of(chain(*payloads)), "file", checksum=0, chunk_bytes=chunk_bytes)
    assert read(reader) == payloads
    assert (reader.defect, reader.offset) == (None, len(chain(*payloads)))


@pytest.mark.parametrize("length", [0, 1, 4, 28, 32, 64, 1000])
def test_zeros(length: int) -> None:
    reader = FrameReader(file_of(bytes(length)), "file")
    assert reader.next_frame() is None
    assert (reader.defect is None) == (length == 0)


def test_damaged_length() -> None:
    content = bytearray(chain(b"abc"))
    content[8:12] = b"\xff\xff\xff\x7f"
    file = file_of(bytes(content))
    asked: list[int] = []
    real = file.pread
    file.pread = lambda offset, length: (asked.append(length), real(offset, length))[1]  # type: ignore[method-assign]
    reader = FrameReader(file, "file", chunk_bytes=64)
    assert reader.next_frame() is None
    assert max(asked) == 64


def test_frame_out_of_chain() -> None:
    first, second = chain(b"abc"), chain(b"abd")
    reader = FrameReader(file_of(first + second), "file", checksum=0)
    assert read(reader) == [b"abc"]
    assert reader.defect is not None
    assert reader.defect.whole


def test_frame_of_another_release() -> None:
    content = bytearray(chain(b"abc"))
    content[3] = 2
    reader = FrameReader(file_of(bytes(content)), "file")
    assert reader.next_frame() is None
    assert reader.defect is not None
    assert "another release" in reader.defect.found


def test_growing_file() -> None:
    """Asked again, it looks again at the place where it stopped."""
    content = chain(b"abc", b"def")
    storage = MemoryStorage()
    storage.put("file", content[:40])
    reader = FrameReader(storage.open("file"), "file", checksum=0)
    assert read(reader) == [b"abc"]
    assert reader.defect is not None
    storage.put("file", content)
    assert read(reader) == [b"def"]
    assert reader.defect is None
