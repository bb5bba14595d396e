"""Names sort as their seqs do, and nothing else in the directory is taken for one of ours."""

from tradeclear.wal.names import (
    broken_name,
    segment_name,
    segment_names,
    segment_seq,
    snapshot_name,
    snapshot_seqs,
    temporary_names,
)

STRANGERS = (
    "README.md",
    "wal-1.log",
    "wal-00000000000000000001.log.0.broken",
    "wal-00000000000000000001.log.tmp2",
    "xwal-00000000000000000001.log",
    "quarantine.jsonl.tmp",
)


def test_round_trip() -> None:
    for seq in (1, 42, 2**63):
        assert segment_seq(segment_name(seq)) == seq
        assert snapshot_seqs([snapshot_name(seq)]) == [seq]


def test_order() -> None:
    names = [segment_name(seq) for seq in (1, 9, 10, 99, 1000)]
    assert segment_names([*reversed(names), *STRANGERS]) == names


def test_strangers() -> None:
    assert segment_names(STRANGERS) == []
    assert snapshot_seqs(STRANGERS) == []
    assert temporary_names(STRANGERS) == []


def test_temporary_names() -> None:
    ours = [snapshot_name(7) + ".tmp", broken_name(segment_name(1), 48, 0) + ".tmp"]
    assert temporary_names([*ours, *STRANGERS]) == ours
