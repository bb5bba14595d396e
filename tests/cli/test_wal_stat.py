"""`stat` counts what is in a log, and what a log damaged half-way holds before that place."""

import json
from pathlib import Path

from tradeclear.model.commands import CancelOrder
from tradeclear.supervisor.exit_codes import ExitCode

from .logs import damage, document, exchange, facts, order, run, tear, told, trading


def test_everything_is_counted(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.commit(order("a", "sell", 100, 5), order("b", "buy", 100, 3), order("c", "buy", 9, 1))
        made.commit(CancelOrder("c"), CancelOrder("z"))
        made.snapshot()
    found = document("stat", tmp_path)
    assert found["commands"] == {"PlaceOrder": 3, "CancelOrder": 2, "Configure": 1}
    assert found["events"] == {
        "LevelChanged": 4,
        "OrderPlaced": 3,
        "Configured": 1,
        "TradeExecuted": 1,
        "OrderCancelled": 1,
        "CommandRefused": 1,
    }
    assert found["trades"] == {"BTC-USD": 1}
    assert (found["first_seq"], found["last_seq"], found["records"]) == (1, 6, 6)
    assert (found["commits"], found["records_per_commit"]) == (3, 2)
    assert found["first_time"] == "2023-11-14T22:13:21.000000Z"
    assert found["last_time"] == "2023-11-14T22:13:26.000000Z"
    assert found["versions"] == [[1, 1]]
    assert [known["name"] for known in found["instruments"]] == ["BTC-USD"]
    assert (found["segments"], found["snapshots"]) == (1, 1)


def test_bytes_are_those_of_the_commits(tmp_path: Path) -> None:
    trading(tmp_path, 30)
    found = document("stat", tmp_path)
    head = 32 + len(b"tradeclear wal 1")
    assert found["bytes"] == sum(f.stat().st_size for f in tmp_path.glob("wal-*.log")) - head
    assert found["bytes_per_record"] == round(found["bytes"] / 31, 1)


def test_plain_output_is_names_and_values(tmp_path: Path) -> None:
    trading(tmp_path, 5)
    first, *others = told("stat", tmp_path).split("\n\n")
    assert facts(first)["records"] == "6"
    assert facts(first)["versions"] == "engine=1,codec=1"
    assert [block.split()[0] for block in others] == ["commands", "events", "trades", "name"]


def test_before_damage(tmp_path: Path) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    file, offset = damage(tmp_path, frame=10)
    result = run("stat", tmp_path, "--json")
    assert result.exit_code == ExitCode.LOG_DAMAGED
    assert json.loads(result.stdout)["last_seq"] == 10
    assert f"{file} at byte {offset}" in result.stderr


def test_a_log_that_ends_before_its_snapshot(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.commit(order("a", "sell", 100, 5))
        length = made.log.segments()[-1].bytes
        made.commit(order("b", "sell", 100, 5))
        made.snapshot()
    (segment,) = tmp_path.glob("wal-*.log")
    segment.write_bytes(segment.read_bytes()[:length])
    result = run("stat", tmp_path)
    assert result.exit_code == ExitCode.LOG_DAMAGED
    assert f"at byte {length}: expected records up to 3" in result.stderr


def test_a_torn_tail_is_not_counted(tmp_path: Path) -> None:
    trading(tmp_path, 5)
    offset = tear(tmp_path)
    result = run("stat", tmp_path, "--json")
    assert result.exit_code == ExitCode.ERROR
    assert json.loads(result.stdout)["records"] == 5
    assert f"at byte {offset}: a torn tail" in result.stderr


def test_of_a_pruned_log_the_instruments_come_from_the_snapshot(tmp_path: Path) -> None:
    with exchange(tmp_path, segment_bytes_max=600) as made:
        for number in range(10):
            made.commit(order(f"o{number}", "sell", 100, 5))
        made.snapshot()
        assert made.log.prune(8)
    found = document("stat", tmp_path)
    assert found["first_seq"] > 1
    assert [known["name"] for known in found["instruments"]] == ["BTC-USD"]
