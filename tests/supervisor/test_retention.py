"""Nothing is pruned unless asked for, and never what a snapshot or a key still needs."""

from pathlib import Path
from time import perf_counter

from tradeclear.config.settings import Settings
from tradeclear.supervisor.retention import Retention
from tradeclear.supervisor.snapshot_files import write_snapshot


def segments(directory: Path) -> int:
    return len(list(directory.glob("wal-*.log")))


async def prune(past, **settings: int) -> None:
    await Retention(Settings(**settings), past.storage, past.log, past.engine).prune()


async def test_by_default_the_whole_log_stays(tmp_path: Path, history) -> None:
    past = history(segment_bytes_max=2_000)
    past.place(200)
    write_snapshot(past.storage, past.engine, perf_counter())
    before = segments(tmp_path)
    await prune(past)
    assert segments(tmp_path) == before > 10


async def test_over_the_limit_segments_below_every_kept_snapshot_go(
    tmp_path: Path, history
) -> None:
    past = history(segment_bytes_max=2_000)
    past.place(100)
    write_snapshot(past.storage, past.engine, perf_counter())
    covered = past.engine.seq
    past.place(100)
    before = segments(tmp_path)
    await prune(past, log_retention_bytes_max=4_000)
    assert segments(tmp_path) < before
    assert past.log.first_seq <= covered + 1


async def test_without_a_snapshot_nothing_goes(tmp_path: Path, history) -> None:
    past = history(segment_bytes_max=2_000)
    past.place(100)
    before = segments(tmp_path)
    await prune(past, log_retention_bytes_max=1)
    assert segments(tmp_path) == before


async def test_old_snapshots_go(tmp_path: Path, history) -> None:
    past = history()
    for _ in range(5):
        past.place(3)
        write_snapshot(past.storage, past.engine, perf_counter())
    await prune(past, snapshots_kept=2)
    assert len(list(tmp_path.glob("snapshot-*"))) == 2
