"""A start ends where the last process stopped, from the newest snapshot that is good."""

from pathlib import Path
from time import perf_counter

import pytest
from msgspec.structs import replace

from tradeclear.config.settings import InstrumentSettings, Settings
from tradeclear.core.engine import Engine
from tradeclear.core.state import state_hash
from tradeclear.supervisor.snapshot_files import list_snapshots, write_snapshot
from tradeclear.supervisor.startup import (
    configuration_changes,
    open_and_recover,
    wanted_configuration,
)
from tradeclear.wal.errors import DirectoryLocked, SnapshotDamaged
from tradeclear.wal.posix import PosixStorage


def start(directory: Path):
    return open_and_recover(
        PosixStorage(directory), segment_bytes_max=1 << 20, progress=lambda seq, last_seq: None
    )


def test_an_empty_directory_gives_an_empty_engine(tmp_path: Path) -> None:
    opened = start(tmp_path)
    assert (opened.recovered.engine.seq, opened.log.last_seq) == (0, 0)


def test_the_log_alone_gives_the_state(tmp_path: Path, history) -> None:
    past = history()
    past.place(50)
    past.close()
    recovered = start(tmp_path).recovered
    assert state_hash(recovered.engine) == state_hash(past.engine)
    assert (recovered.snapshot_seq, recovered.replayed) == (0, 51)


def test_from_a_snapshot_only_what_follows_is_replayed(tmp_path: Path, history) -> None:
    past = history()
    past.place(50)
    write_snapshot(past.storage, past.engine, perf_counter())
    past.place(7)
    past.close()
    recovered = start(tmp_path).recovered
    assert state_hash(recovered.engine) == state_hash(past.engine)
    assert (recovered.snapshot_seq, recovered.replayed) == (51, 7)


def test_a_damaged_snapshot_is_passed_over_for_an_older_one(tmp_path: Path, history) -> None:
    past = history()
    past.place(20)
    write_snapshot(past.storage, past.engine, perf_counter())
    past.place(20)
    newest = tmp_path / write_snapshot(past.storage, past.engine, perf_counter()).file
    past.place(5)
    past.close()
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    recovered = start(tmp_path).recovered
    assert state_hash(recovered.engine) == state_hash(past.engine)
    assert (recovered.snapshot_seq, recovered.replayed) == (21, 25)


def test_a_damaged_snapshot_that_a_pruned_log_needs_is_refused(tmp_path: Path, history) -> None:
    past = history(segment_bytes_max=1000)
    past.place(20)
    older = tmp_path / write_snapshot(past.storage, past.engine, perf_counter()).file
    past.place(20)
    newest = tmp_path / write_snapshot(past.storage, past.engine, perf_counter()).file
    past.place(5)
    past.log.prune(41)
    past.close()
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    assert older.exists()
    with pytest.raises(SnapshotDamaged) as refusal:
        start(tmp_path)
    assert refusal.value.file == newest.name
    assert "restore this one from a copy" in str(refusal.value)


def test_a_second_process_is_refused(tmp_path: Path, history) -> None:
    history()
    with pytest.raises(DirectoryLocked):
        start(tmp_path)


def test_a_snapshot_is_listed_with_what_it_says_of_itself(tmp_path: Path, history) -> None:
    past = history()
    past.place(3)
    written = write_snapshot(past.storage, past.engine, perf_counter())
    assert list_snapshots(past.storage) == [written]
    assert written.state_hash == state_hash(past.engine)
    assert (tmp_path / written.file).stat().st_size == written.bytes


def test_the_same_settings_change_nothing(history) -> None:
    past = history()
    wanted = wanted_configuration(Settings(), past.engine)
    assert configuration_changes(wanted, past.engine) == {}


def test_what_would_change_is_told_by_name(history) -> None:
    past = history()
    settings = Settings(
        trades_max=5,
        instruments=(
            InstrumentSettings(name="BTC-USD", quantity_max="5"),
            InstrumentSettings(name="ETH-USD"),
        ),
    )
    changes = configuration_changes(wanted_configuration(settings, past.engine), past.engine)
    assert changes == {
        "BTC-USD.quantity_lots_max": "1000000000 -> 500000",
        "ETH-USD": "new",
        "limits.trades_max": "200000 -> 5",
    }


def test_an_instrument_that_is_no_longer_named_stops_trading(history) -> None:
    past = history()
    settings = Settings(instruments=(InstrumentSettings(name="ETH-USD"),))
    wanted = {i.name: i.trading for i in wanted_configuration(settings, past.engine).instruments}
    assert wanted == {"ETH-USD": True, "BTC-USD": False}


def test_records_of_another_version_are_named_as_a_change(history) -> None:
    past = history()
    past.engine.versions = (0, 0)
    wanted = wanted_configuration(Settings(), past.engine)
    assert configuration_changes(wanted, past.engine) == {"versions": "(0, 0) -> (1, 1)"}
    assert wanted == replace(wanted_configuration(Settings(), Engine()))
