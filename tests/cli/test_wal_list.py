"""`ls` shows every segment and snapshot with what it holds, and judges by the ends of files."""

import os
from contextlib import closing
from pathlib import Path

from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.wal.log import Log
from tradeclear.wal.posix import PosixStorage

from .logs import FIRST, document, exchange, run, tear, told, trade, trading


def test_segments_tile_the_log(tmp_path: Path) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    rows = document("ls", tmp_path)["segments"]
    assert len(rows) > 3
    expected_first = 1
    for row in rows:
        assert row["first_seq"] == expected_first
        assert row["records"] == row["commits"] == row["last_seq"] - row["first_seq"] + 1
        assert row["bytes"] == (tmp_path / row["file"]).stat().st_size
        assert row["first_time"] == f"2023-11-14T22:13:{20 + row['first_seq']:02}.000000Z"
        expected_first = row["last_seq"] + 1
    assert [row["sealed"] for row in rows] == [True] * (len(rows) - 1) + [False]
    assert rows[-1]["last_time"] == "2023-11-14T22:13:51.000000Z"


def test_snapshots_and_what_repairs_kept(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        trade(made, 4)
        state_hash = made.snapshot()
    (tmp_path / f"{FIRST}.99.broken").write_bytes(b"cut")
    listing = document("ls", tmp_path)
    (row,) = listing["snapshots"]
    file = tmp_path / row["file"]
    assert file.name == "snapshot-00000000000000000005.snap"
    assert (row["seq"], row["good"], row["bytes"]) == (5, True, file.stat().st_size)
    assert row["state_hash"] == state_hash
    assert row["created_at"].endswith("Z")
    assert listing["kept"] == [f"{FIRST}.99.broken"]
    assert listing["writer"] is None


def test_the_writer_is_named(tmp_path: Path) -> None:
    with exchange(tmp_path):
        assert document("ls", tmp_path)["writer"] == os.getpid()


def test_a_log_without_records(tmp_path: Path) -> None:
    with closing(PosixStorage(tmp_path)) as storage:
        Log.open(storage).close()
    (row,) = document("ls", tmp_path)["segments"]
    assert (row["records"], row["last_seq"], row["first_time"]) == (0, 0, None)
    (line,) = told("ls", tmp_path).splitlines()[1:]
    assert line.split()[-2:] == ["-", "-"]


def test_plain_output_has_a_row_a_file(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.snapshot()
    segments, snapshots = told("ls", tmp_path).split("\n\n")
    head, row = (line.split() for line in segments.splitlines())
    assert dict(zip(head, row, strict=True))["file"] == FIRST
    head, row = (line.split() for line in snapshots.splitlines())
    assert dict(zip(head, row, strict=True))["good"] == "yes"


def test_a_torn_tail_is_told(tmp_path: Path) -> None:
    trading(tmp_path, 5)
    offset = tear(tmp_path)
    result = run("ls", tmp_path)
    assert result.exit_code == ExitCode.ERROR
    assert f"{FIRST} at byte {offset}: a torn tail" in result.stderr
    assert FIRST in result.stdout


def test_a_missing_segment_is_told_and_the_rest_listed(tmp_path: Path) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    gone = sorted(tmp_path.glob("wal-*.log"))[1]
    gone.unlink()
    result = run("ls", tmp_path)
    assert result.exit_code == ExitCode.LOG_DAMAGED
    assert f"{gone.name} at byte 0: expected the segment that the seal before it names" in (
        result.stderr
    )
    assert FIRST in result.stdout


def test_a_damaged_snapshot_is_told_and_the_rest_listed(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.snapshot()
        trade(made, 3)
        made.snapshot()
    damaged = tmp_path / "snapshot-00000000000000000001.snap"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    result = run("ls", tmp_path, "--json")
    assert result.exit_code == ExitCode.LOG_DAMAGED
    assert f"{damaged.name} at byte " in result.stderr
    assert '"good":false' in result.stdout
    assert '"good":true' in result.stdout
