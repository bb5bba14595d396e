"""`snapshot` writes the state elsewhere, whole or not at all, and never among a log's own files."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from tradeclear.core.state import state_hash
from tradeclear.pipeline.recovery import from_snapshot
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.wal import snapshots
from tradeclear.wal.posix import PosixStorage

from .logs import document, exchange, facts, fingerprint, run, told, trade, trading


def restored_hash(directory: Path, seq: int) -> str:
    """The state hash of what is loaded from a snapshot."""
    with closing(PosixStorage(directory)) as storage, closing(snapshots.read(storage, seq)) as read:
        return state_hash(from_snapshot(read.chunks(), read.info.meta["state_hash"]))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_into_a_directory(tmp_path: Path, out: Path) -> None:
    state = trading(tmp_path / "wal", 20)
    before = fingerprint(tmp_path / "wal")
    found = document("snapshot", tmp_path / "wal", "--out", out)
    file = out / "snapshot-00000000000000000021.snap"
    assert found["file"] == str(file)
    assert (found["seq"], found["state_hash"]) == (21, state)
    assert found["bytes"] == file.stat().st_size
    assert os.listdir(out) == [file.name]
    assert restored_hash(out, 21) == state
    assert fingerprint(tmp_path / "wal") == before


def test_into_a_file_of_any_name(tmp_path: Path, out: Path) -> None:
    state = trading(tmp_path / "wal", 20)
    plain = facts(told("snapshot", tmp_path / "wal", "--out", out / "before-release.snap"))
    assert plain["file"] == str(out / "before-release.snap")
    assert os.listdir(out) == ["before-release.snap"]
    (out / "before-release.snap").rename(out / "snapshot-00000000000000000021.snap")
    assert restored_hash(out, 21) == state


@pytest.mark.parametrize("until", ["7", "2023-11-14T22:13:27.5Z"])
def test_of_any_moment(tmp_path: Path, out: Path, until: str) -> None:
    trading(tmp_path / "wal", 20)
    found = document("snapshot", tmp_path / "wal", "--out", out, "--until", until)
    again = document("replay", tmp_path / "wal", "--until", until)
    assert found["seq"] == again["seq"] == 7
    assert restored_hash(out, 7) == found["state_hash"] == again["state_hash"]


def test_a_snapshot_can_stand_in_for_the_log_before_it(tmp_path: Path, out: Path) -> None:
    """What it is for: taken along with the records after it, it gives the same state."""
    with exchange(tmp_path / "wal", segment_bytes_max=800) as made:
        trade(made, 30)
        state = made.state_hash()
    document("snapshot", tmp_path / "wal", "--out", out, "--until", 15)
    for segment in sorted((tmp_path / "wal").glob("wal-*.log")):
        if int(segment.name[4:24]) > 12:
            (out / segment.name).write_bytes(segment.read_bytes())
    found = document("replay", out)
    assert (found["from_snapshot"], found["state_hash"]) == (15, state)


def test_a_live_log_is_read_but_not_written_to(tmp_path: Path, out: Path) -> None:
    with exchange(tmp_path / "wal") as made:
        trade(made, 5)
        before = fingerprint(tmp_path / "wal")
        for target in (tmp_path / "wal", tmp_path / "wal" / "mine.snap"):
            result = run("snapshot", tmp_path / "wal", "--out", target)
            assert result.exit_code == ExitCode.LOCKED
            assert f"where process {os.getpid()} writes its log" in result.stderr
        assert fingerprint(tmp_path / "wal") == before
        inside = tmp_path / "wal" / "inside"
        inside.mkdir()
        result = run("snapshot", tmp_path / "wal", "--out", inside)
        assert result.exit_code == ExitCode.LOCKED
        assert os.listdir(inside) == []
        (out / "link").symlink_to(inside)
        assert run("snapshot", tmp_path / "wal", "--out", out / "link").exit_code == ExitCode.LOCKED
        assert os.listdir(inside) == []
        assert document("snapshot", tmp_path / "wal", "--out", out)["seq"] == 6


def test_not_into_any_log(tmp_path: Path) -> None:
    trading(tmp_path / "wal", 5)
    trading(tmp_path / "other", 9)
    for target in (tmp_path / "wal", tmp_path / "other"):
        before = fingerprint(target)
        result = run("snapshot", tmp_path / "wal", "--out", target)
        assert result.exit_code == ExitCode.USAGE
        assert "holds a log" in result.stderr
        assert fingerprint(target) == before


def test_through_a_link_it_is_the_same_directory(tmp_path: Path) -> None:
    trading(tmp_path / "wal", 5)
    (tmp_path / "link").symlink_to(tmp_path / "wal")
    before = fingerprint(tmp_path / "wal")
    assert run("snapshot", tmp_path / "wal", "--out", tmp_path / "link").exit_code == 2
    assert fingerprint(tmp_path / "wal") == before


def test_nothing_is_overwritten(tmp_path: Path, out: Path) -> None:
    trading(tmp_path / "wal", 5)
    document("snapshot", tmp_path / "wal", "--out", out)
    before = fingerprint(out)
    for target in (out, out / "snapshot-00000000000000000006.snap"):
        result = run("snapshot", tmp_path / "wal", "--out", target)
        assert result.exit_code == ExitCode.USAGE
        assert "is there already" in result.stderr
    assert fingerprint(out) == before


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    trading(tmp_path / "wal", 5)
    result = run("snapshot", tmp_path / "wal", "--out", tmp_path / "no" / "where.snap")
    assert result.exit_code == ExitCode.USAGE
    assert f"there is no directory {tmp_path}/no" in result.stderr


def test_disk_full_leaves_nothing(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trading(tmp_path / "wal", 5)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tradeclear.wal.posix.os.pwrite", full)
    result = run("snapshot", tmp_path / "wal", "--out", out)
    assert result.exit_code == ExitCode.LOG_FAILED
    assert "No space left on device" in result.stderr
    assert os.listdir(out) == []
