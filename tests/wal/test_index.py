"""The index finds a frame at or before any seq, never one behind it, in little memory."""

from tradeclear.wal.index import SegmentIndex, stride_bytes


def test_find() -> None:
    index = SegmentIndex()
    frames = [(1 + 3 * number, 48 + 1000 * number) for number in range(200)]
    for first_seq, offset in frames:
        index.note(first_seq, offset)
    offsets = dict(frames)
    for seq in range(1, 601):
        found = index.find(seq)
        assert found is not None
        first_seq, offset = found
        assert first_seq <= seq
        assert offsets[first_seq] == offset
        assert (seq - first_seq) / 3 * 1000 < stride_bytes + 1000


def test_sparse() -> None:
    index = SegmentIndex()
    for number in range(100_000):
        index.note(number, number * 200)
    assert len(index) <= 100_000 * 200 // stride_bytes + 1


def test_before_the_first_mark() -> None:
    index = SegmentIndex()
    assert index.find(1) is None
    index.note(10, 48)
    assert index.find(9) is None
