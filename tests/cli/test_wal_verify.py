"""`verify` reads every byte: clean is 0, torn tail 1, damage 65; `--replay` runs records again."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from tradeclear.core.state import dump
from tradeclear.model.commands import CancelOrder
from tradeclear.model.events import CommandRefused
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.wal import snapshots
from tradeclear.wal.codec import encode_record
from tradeclear.wal.storage import Storage
from tradeclear.wal.survey import Progress
from tradeclear.wal.verification import VerifyReport
from tradeclear.wal.verification import verify as verify_files

from .logs import (
    FIRST,
    START,
    damage,
    document,
    exchange,
    facts,
    frames,
    run,
    tear,
    told,
    trade,
    trading,
)


def test_clean(tmp_path: Path) -> None:
    with exchange(tmp_path, segment_bytes_max=800) as made:
        trade(made, 30)
        made.snapshot()
    found = document("verify", tmp_path)
    assert found["verdict"] == "clean"
    assert (found["first_seq"], found["last_seq"], found["records"]) == (1, 31, 31)
    assert found["segments"] == len(list(tmp_path.glob("wal-*.log"))) > 3
    assert found["snapshots"] == 1
    assert found["bytes"] == sum(path.stat().st_size for path in tmp_path.glob("wal-*.log"))
    assert (found["damage"], found["torn_tail"], found["replayed"]) == ([], None, None)
    plain = facts(told("verify", tmp_path))
    assert (plain["verdict"], plain["records"]) == ("clean", "31")


def test_torn_last_record(tmp_path: Path) -> None:
    trading(tmp_path, 5)
    offset = tear(tmp_path)
    result = run("verify", tmp_path, "--json")
    assert result.exit_code == ExitCode.ERROR
    found = json.loads(result.stdout)
    assert found["verdict"] == "torn_tail"
    assert (found["torn_tail"]["offset"], found["torn_tail"]["first_seq"]) == (offset, 6)
    assert f"{FIRST} at byte {offset}: a torn tail of" in result.stderr
    assert "The next start cuts it off and keeps it as .broken" in result.stderr
    assert f"`tradeclear wal repair {tmp_path}`" in result.stderr


def test_a_frame_in_flight_is_no_fault(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        trade(made, 4)
        offset = tear(tmp_path)
        found = document("verify", tmp_path)
    assert (found["verdict"], found["torn_tail"]) == ("clean", None)
    assert found["in_flight"]["offset"] == offset


@pytest.mark.parametrize("frame", [0, 10, 30])
def test_damaged_record(tmp_path: Path, frame: int) -> None:
    trading(tmp_path, 40, segment_bytes_max=800)
    file, offset = damage(tmp_path, frame)
    result = run("verify", tmp_path, "--json")
    assert result.exit_code == ExitCode.LOG_DAMAGED
    found = json.loads(result.stdout)
    assert found["verdict"] == "damaged"
    (place,) = found["damage"]
    assert (place["file"], place["offset"], place["last_good_seq"]) == (file, offset, frame)
    assert f"{file} at byte {offset}: expected" in result.stderr


def test_every_damaged_snapshot_is_named(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        for _ in range(3):
            trade(made, 2)
            made.snapshot()
    first, second, _ = sorted(tmp_path.glob("snapshot-*.snap"))
    for path in (first, second):
        data = bytearray(path.read_bytes())
        data[100] ^= 1
        path.write_bytes(data)
    result = run("verify", tmp_path)
    assert result.exit_code == ExitCode.LOG_DAMAGED
    assert facts(result.stdout)["verdict"] == "damaged"
    assert [first.name in result.stderr, second.name in result.stderr] == [True, True]


def test_replaying_finds_nothing_in_a_good_log(tmp_path: Path) -> None:
    with exchange(tmp_path, segment_bytes_max=800) as made:
        for _ in range(3):
            trade(made, 10)
            made.snapshot()
        trade(made, 5)
    assert document("verify", tmp_path, "--replay")["replayed"] == 36


def test_replaying_a_pruned_log_begins_with_its_oldest_snapshot(tmp_path: Path) -> None:
    with exchange(tmp_path, segment_bytes_max=800) as made:
        for _ in range(3):
            trade(made, 10)
            made.snapshot()
        assert made.log.prune(21)
        assert 12 < made.log.first_seq <= 22  # snapshot 11 is out of reach, 21 is not
    assert document("verify", tmp_path, "--replay")["replayed"] == 31 - 21


def test_a_record_that_replays_differently(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.log.append(
            2, [encode_record((2, START + 2, CancelOrder("z"), (CommandRefused(299),)))]
        )
    assert document("verify", tmp_path)["verdict"] == "clean"  # its bytes are what was written
    result = run("verify", tmp_path, "--replay")
    assert result.exit_code == ExitCode.LOG_DAMAGED
    frame = frames(tmp_path)[1]
    assert f"{FIRST} at byte {frame.offset}: expected a commit that replays" in result.stderr
    assert "record 2 replays differently" in result.stderr


def test_a_snapshot_of_another_state(tmp_path: Path) -> None:
    """Its bytes are whole and its hash is right; only it isn't what the log says."""
    with exchange(tmp_path) as made:
        trade(made, 3)
        meta = {"state_hash": made.state_hash()}
        made.engine.limits = replace(made.engine.limits, trades_max=1)
        snapshots.write(
            made.storage, 4, dump(made.engine), meta=meta | {"state_hash": made.state_hash()}
        )
    assert document("verify", tmp_path)["verdict"] == "clean"
    result = run("verify", tmp_path, "--replay")
    assert result.exit_code == ExitCode.LOG_DAMAGED
    assert f"the state hash is {meta['state_hash']}" in result.stderr
    assert "snapshot-00000000000000000004.snap says" in result.stderr


def test_a_server_that_removes_its_old_snapshots_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exchange(tmp_path, segment_bytes_max=800) as made:
        for _ in range(3):
            trade(made, 10)
            made.snapshot()
        assert made.log.prune(11)
        first_seq = made.log.first_seq

    def verify_then_remove(storage: Storage, progress: Progress | None) -> VerifyReport:
        report = verify_files(storage, progress)
        assert [info.seq for info in report.snapshots] == [11, 21, 31]
        snapshots.keep_newest(storage, 1)
        return report

    monkeypatch.setattr("tradeclear.cli.wal_verify.verify_files", verify_then_remove)
    assert 1 < first_seq <= 12
    assert document("verify", tmp_path, "--replay")["replayed"] == 0  # from 31, the only one left
