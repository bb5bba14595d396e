"""Times are found at a segment's ends, and a segment by a time, without reading the whole log."""

from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from tradeclear.cli.log_records import first_time, last_time, records_of, seq_of_time, times_of
from tradeclear.model.commands import CancelOrder
from tradeclear.wal.codec import RecordUnreadable
from tradeclear.wal.log import Log
from tradeclear.wal.posix import PosixStorage
from tradeclear.wal.verification import segments

from .logs import SECOND, START, exchange, frames, tear, trade, trading


def test_times_of_every_segment(tmp_path: Path) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    with closing(PosixStorage(tmp_path)) as storage:
        infos = segments(storage)
        assert len(infos) > 3
        for info in infos:
            assert first_time(storage, info.first_seq) == START + info.first_seq * SECOND
            assert last_time(storage, info) == START + info.last_seq * SECOND


def test_last_record_of_a_commit_of_many(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.commit(*(CancelOrder(f"o{number}" * 10) for number in range(3_000)))
        (info,) = made.log.segments()
        assert info.bytes > 2 * 64 * 1024  # longer than what is read at a time
        assert last_time(made.storage, info) == START + 3_001 * SECOND


def test_a_torn_tail_has_no_time(tmp_path: Path) -> None:
    trading(tmp_path, 5)
    tear(tmp_path)
    with closing(PosixStorage(tmp_path)) as storage:
        assert last_time(storage, segments(storage)[-1]) == START + 5 * SECOND


def test_a_segment_without_records_has_no_times(tmp_path: Path) -> None:
    with closing(PosixStorage(tmp_path)) as storage:
        Log.open(storage).close()
        assert first_time(storage, 1) is None
        assert last_time(storage, segments(storage)[0]) is None


@pytest.mark.parametrize("second", range(32))
def test_reading_from_a_time_misses_no_record(tmp_path: Path, second: int) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    with closing(PosixStorage(tmp_path)) as storage:
        begin = seq_of_time(storage, START + second * SECOND)
        infos = segments(storage)
        assert begin <= max(second, 1)
        assert begin in [info.first_seq for info in infos]
        later = [info.first_seq for info in infos if begin < info.first_seq < second]
        assert not later  # and it begins in the last segment that it can


def test_of_many_records_at_one_time_none_is_missed(tmp_path: Path) -> None:
    trading(tmp_path, 30, segment_bytes_max=800, step=0)
    with closing(PosixStorage(tmp_path)) as storage:
        assert seq_of_time(storage, START) == 1


@pytest.mark.parametrize("surplus", [-33, -1, 0, 1, 10, 31, 32, 33])
def test_a_last_frame_as_long_as_what_is_read_at_a_time(tmp_path: Path, surplus: int) -> None:
    wanted = 64 * 1024 + surplus
    with exchange(tmp_path) as made:
        made.commit(CancelOrder("x" * 60_000))
        rest = frames(tmp_path)[-1]
        made.commit(CancelOrder("x" * (60_000 + wanted - (rest.end - rest.offset))))
        found = frames(tmp_path)[-1]
        assert found.end - found.offset == wanted
        assert last_time(made.storage, made.log.segments()[-1]) == START + 3 * SECOND


def test_a_frame_that_came_since_the_segment_was_described_is_not_its_last(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        (before,) = made.log.segments()
        trade(made, 3)
        (after,) = made.log.segments()
        described = replace(before, bytes=after.bytes)
        assert last_time(made.storage, described) == START + SECOND


def test_an_empty_directory_begins_with_record_1(tmp_path: Path) -> None:
    with closing(PosixStorage(tmp_path)) as storage:
        assert seq_of_time(storage, START) == 1


def test_records_and_times_of_a_frame(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.commit(CancelOrder("a"), CancelOrder("b"))
    frame = frames(tmp_path)[1]
    assert [record.command for record in records_of(frame)] == [CancelOrder("a"), CancelOrder("b")]
    assert times_of(frame) == [START + 2 * SECOND, START + 3 * SECOND]


def test_bytes_of_another_version_are_told_with_their_place(tmp_path: Path) -> None:
    with closing(PosixStorage(tmp_path)) as storage, closing(Log.open(storage)) as log:
        log.append(1, [b"\x93\x01\x02\x03"])
    (frame,) = frames(tmp_path)
    with pytest.raises(RecordUnreadable, match=rf"^{frame.file} at byte {frame.offset}: "):
        records_of(frame)


def test_trading_makes_trades(tmp_path: Path) -> None:
    """The logs of these tests hold what they are there for."""
    with exchange(tmp_path) as made:
        trade(made, 20)
        assert len(made.engine.trades) > 5
        assert made.engine.orders.open_count > 5
