"""`replay` gives the state that the exchange had at any record or moment, or says what differs."""

import json
from pathlib import Path
from typing import Any

import pytest

from tradeclear.core.engine import Engine
from tradeclear.core.state import state_hash
from tradeclear.model.commands import CancelOrder, Configure, Limits
from tradeclear.model.events import CommandRefused
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.wal.codec import decode_record, encode_record

from .logs import (
    BTC,
    FIRST,
    START,
    damage,
    document,
    exchange,
    facts,
    frames,
    order,
    run,
    tear,
    told,
    trade,
    trading,
)


def hash_at(directory: Path, seq: int) -> str:
    """The state hash after record `seq`, by the engine alone."""
    engine = Engine()
    for frame in frames(directory):
        for data in frame.records():
            record = decode_record(data)
            if record.seq <= seq:
                engine.apply(record.seq, record.time, record.command)
    return state_hash(engine)


def with_snapshots(directory: Path) -> None:
    """Forty-one records, snapshots after 11, 21 and 31."""
    with exchange(directory, segment_bytes_max=800) as made:
        for _ in range(3):
            trade(made, 10)
            made.snapshot()
        trade(made, 10)


def test_to_the_end(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        trade(made, 20)
        engine, state = made.engine, made.state_hash()
    found = document("replay", tmp_path)
    assert (found["seq"], found["state_hash"]) == (21, state)
    assert found["time"] == "2023-11-14T22:13:41.000000Z"
    assert found["open_orders"] == engine.orders.open_count
    assert found["trades"] == len(engine.trades)
    assert (found["from_snapshot"], found["replayed"]) == (0, 21)
    plain = facts(told("replay", tmp_path).split("\n\n")[0])
    assert (plain["seq"], plain["state_hash"]) == ("21", state)


@pytest.mark.parametrize(
    ("until", "seq", "snapshot"),
    [
        ("5", 5, 0),
        ("10", 10, 0),
        ("11", 11, 11),
        ("12", 12, 11),
        ("31", 31, 31),
        ("41", 41, 31),
        ("2023-11-14T22:13:30.999999Z", 10, 0),
        ("2023-11-14T22:13:31Z", 11, 11),
        ("2023-11-14T22:13:42Z", 22, 21),
        ("2030-01-01T00:00:00Z", 41, 31),
        ("2020-01-01T00:00:00Z", 0, 0),
    ],
)
def test_to_any_place_by_any_way(tmp_path: Path, until: str, seq: int, snapshot: int) -> None:
    with_snapshots(tmp_path)
    found = document("replay", tmp_path, "--until", until)
    assert (found["seq"], found["from_snapshot"]) == (seq, snapshot)
    assert found["replayed"] == seq - snapshot
    assert found["state_hash"] == hash_at(tmp_path, seq)
    again = document("replay", tmp_path, "--until", until, "--from-start")
    assert (again["from_snapshot"], again["replayed"]) == (0, seq)
    assert again["state_hash"] == found["state_hash"]


def book(directory: Path) -> None:
    with exchange(directory) as made:
        made.commit(
            order("a", "sell", 7_015_050, 25_000),
            order("b", "sell", 7_015_050, 10_000),
            order("c", "sell", 7_020_000, 1),
            order("d", "buy", 7_000_000, 50_000),
        )


def test_best_quotes_and_depth(tmp_path: Path) -> None:
    book(tmp_path)
    found = document("replay", tmp_path, "--book", "BTC-USD")
    ask = {
        "price": 70150.5,
        "quantity": 0.35,
        "orders": 2,
        "cumulative_quantity": 0.35,
        "cumulative_notional": 24552.675,
    }
    assert found["instruments"][0]["best_ask"] == ask
    assert found["instruments"][0]["best_bid"]["price"] == 70_000
    assert (found["instruments"][0]["bid_levels"], found["instruments"][0]["ask_levels"]) == (1, 2)
    assert found["book"]["asks"][0] == ask
    assert found["book"]["asks"][1]["cumulative_quantity"] == 0.35001
    assert found["book"]["sequence"] == 5
    one = document("replay", tmp_path, "--book", "BTC-USD", "--levels", "1")
    assert one["book"]["asks"] == [ask]


def test_plain_quotes_and_depth(tmp_path: Path) -> None:
    book(tmp_path)
    _, quotes, depth = told("replay", tmp_path, "--book", "BTC-USD").split("\n\n")
    assert quotes.splitlines()[1].split() == [
        "BTC-USD",
        "1",
        "0.5",
        "70000",
        "70150.5",
        "0.35",
        "2",
    ]
    rows = [line.split() for line in depth.splitlines()]
    assert rows[1] == ["1", "0.5", "70000", "70150.5", "0.35", "2"]
    assert rows[2] == ["-", "-", "-", "70200", "0.00001", "1"]


def test_an_instrument_that_is_not_there(tmp_path: Path) -> None:
    book(tmp_path)
    result = run("replay", tmp_path, "--book", "ETH-USD")
    assert result.exit_code == ExitCode.USAGE
    assert "there is no instrument 'ETH-USD' at record 5: BTC-USD" in result.stderr


def test_a_target_behind_the_end(tmp_path: Path) -> None:
    trading(tmp_path, 20)
    result = run("replay", tmp_path, "--until", "22")
    assert result.exit_code == ExitCode.ERROR
    assert "the log ends with record 21, before 22" in result.stderr


def test_a_record_that_comes_out_differently(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        refused = (CommandRefused(299),)
        made.log.append(2, [encode_record((2, START + 2_000_000, CancelOrder("z"), refused))])
    result = run("replay", tmp_path)
    assert result.exit_code == ExitCode.LOG_DAMAGED
    frame = frames(tmp_path)[1]
    assert f"{FIRST} at byte {frame.offset}: expected a commit that replays" in result.stderr
    assert "record 2 replays differently" in result.stderr
    assert document("replay", tmp_path, "--until", "1")["seq"] == 1


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    with_snapshots(tmp_path)
    newest = sorted(tmp_path.glob("snapshot-*.snap"))[-1]
    data = bytearray(newest.read_bytes())
    data[100] ^= 1
    newest.write_bytes(data)
    result = run("replay", tmp_path, "--json")
    assert result.exit_code == 0
    assert f"a snapshot is passed over: {newest.name} at byte" in result.stderr
    assert json.loads(result.stdout)["from_snapshot"] == 21
    assert json.loads(result.stdout)["state_hash"] == hash_at(tmp_path, 41)


def test_a_pruned_log_can_not_be_run_from_its_start(tmp_path: Path) -> None:
    with exchange(tmp_path, segment_bytes_max=800) as made:
        for _ in range(3):
            trade(made, 10)
            made.snapshot()
        state = made.state_hash()
        assert made.log.prune(21)
        first_seq = made.log.first_seq
    for words in (["--from-start"], ["--until", "5"]):
        result = run("replay", tmp_path, *words)
        assert result.exit_code == ExitCode.ERROR
        assert f"record 1 is pruned: the log begins at {first_seq}" in result.stderr
    assert document("replay", tmp_path)["state_hash"] == state


def test_before_damage_everything_can_be_replayed_and_nothing_behind_it(tmp_path: Path) -> None:
    trading(tmp_path, 40, segment_bytes_max=800)
    clean = [hash_at(tmp_path, seq) for seq in range(42)]
    file, offset = damage(tmp_path, frame=10)
    for until in ("10", "2023-11-14T22:13:29Z", "4"):
        found = document("replay", tmp_path, "--until", until)
        assert found["state_hash"] == clean[found["seq"]]
    for words in ([], ["--until", "11"], ["--until", "2023-11-14T22:13:31Z"]):
        result = run("replay", tmp_path, *words)
        assert result.exit_code == ExitCode.LOG_DAMAGED
        assert f"{file} at byte {offset}: " in result.stderr


@pytest.mark.parametrize("until", [None, "31", "2030-01-01T00:00:00Z"])
def test_a_log_that_ends_before_its_snapshot(tmp_path: Path, until: str | None) -> None:
    with exchange(tmp_path) as made:
        trade(made, 20)
        length = made.log.segments()[-1].bytes
        trade(made, 10)
        made.snapshot()
    (tmp_path / FIRST).write_bytes((tmp_path / FIRST).read_bytes()[:length])
    words: list[Any] = [] if until is None else ["--until", until]
    result = run("replay", tmp_path, *words)
    assert result.exit_code == ExitCode.LOG_DAMAGED
    assert f"{FIRST} at byte {length}: expected records up to 31" in result.stderr
    assert document("replay", tmp_path, "--until", "21")["state_hash"] == hash_at(tmp_path, 21)


def test_a_torn_tail_counts_nothing(tmp_path: Path) -> None:
    trading(tmp_path, 20)
    offset = tear(tmp_path)
    result = run("replay", tmp_path, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["state_hash"] == hash_at(tmp_path, 20)
    assert f"{FIRST} at byte {offset}: a torn tail" in result.stderr


def test_a_frame_in_flight_is_no_torn_tail(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        trade(made, 20)
        tear(tmp_path)
        result = run("replay", tmp_path, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["seq"] == 20


def test_records_of_another_engine_name_the_version_to_run(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.commit(Configure((BTC,), Limits(), engine_version=99), CancelOrder("z"))
    result = run("replay", tmp_path)
    assert result.exit_code == ExitCode.LOG_DAMAGED
    assert "record 2 was made by engine 99, codec 1" in result.stderr
    assert document("stat", tmp_path)["versions"] == [[1, 1], [99, 1]]
