"""`replay --diff` names the first record in which two logs differ, and how their states do."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tradeclear.model.commands import AmendOrder, CancelOrder, Configure, Limits
from tradeclear.supervisor.exit_codes import ExitCode

from .logs import BTC, damage, exchange, facts, order, run, told, trade, trading


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "a", tmp_path / "b"


def diff(pair: tuple[Path, Path], *words: object, code: int = 0) -> Any:
    return json.loads(told("replay", pair[0], "--diff", pair[1], *words, "--json", code=code))


def test_the_same_log(pair: tuple[Path, Path]) -> None:
    trading(pair[0], 30, segment_bytes_max=800)
    shutil.copytree(*pair)
    found = diff(pair)
    assert (found["same"], found["seq"]) == (True, 31)
    assert found["a"]["state_hash"] == found["b"]["state_hash"]
    assert (found["first_difference"], found["sections"]) == (None, [])
    plain = facts(told("replay", pair[0], "--diff", pair[1]))
    assert (plain["same"], plain["directory_b"]) == ("yes", str(pair[1]))


def test_how_records_were_committed_makes_no_difference(pair: tuple[Path, Path]) -> None:
    orders = [order(f"o{number}", "buy", 100 + number, 5) for number in range(20)]
    with exchange(pair[0]) as made:
        made.commit(*orders)
    with exchange(pair[1], segment_bytes_max=800) as made:
        for each in orders:
            made.commit(each)
    assert diff(pair)["same"] is True


def test_a_log_that_goes_on_is_compared_as_far_as_both_go(pair: tuple[Path, Path]) -> None:
    trading(pair[0], 20)
    trading(pair[1], 30)
    for way in (pair, pair[::-1]):
        found = diff(way)  # type: ignore[arg-type]
        assert (found["same"], found["seq"]) == (True, 21)
    assert {found["a"]["last_seq"], found["b"]["last_seq"]} == {21, 31}


def test_beginning_with_a_snapshot_or_with_the_first_record(pair: tuple[Path, Path]) -> None:
    trading(pair[0], 30)
    with exchange(pair[1], segment_bytes_max=800) as made:
        trade(made, 20)
        made.snapshot()
        trade(made, 10)
        assert made.log.prune(15)
    found = diff(pair)
    assert found["same"] is True
    assert found["b"]["first_seq"] > 1


def parted(pair: tuple[Path, Path]) -> None:
    """The same up to record 5; then other quantities, and an order that only one of them has."""
    for directory, quantity in zip(pair, (100, 70), strict=True):
        with exchange(directory) as made:
            trade(made, 4)
            made.commit(order("x", "buy", 9_000, quantity), order("y", "buy", 8_000, 10))
            made.commit(CancelOrder("y") if quantity == 100 else AmendOrder("y", quantity=9))


def test_the_first_record_that_differs(pair: tuple[Path, Path]) -> None:
    parted(pair)
    found = diff(pair, code=ExitCode.ERROR)
    assert (found["same"], found["seq"]) == (False, 8)
    parting = found["first_difference"]
    assert (parting["seq"], parting["differ"]) == (6, ["command", "events"])
    assert [parting[side]["command"]["quantity"] for side in "ab"] == [0.001, 0.0007]


def test_levels_and_orders_that_differ(pair: tuple[Path, Path]) -> None:
    parted(pair)
    found = diff(pair, code=ExitCode.ERROR)
    assert found["sections"] == ["open", "closed"]
    assert found["levels"] == {
        "count": 2,
        "shown": [
            {
                "instrument": "BTC-USD",
                "side": "buy",
                "price": 90,
                "quantity_a": 0.001,
                "orders_a": 1,
                "quantity_b": 0.0007,
                "orders_b": 1,
            },
            {
                "instrument": "BTC-USD",
                "side": "buy",
                "price": 80,
                "quantity_a": None,
                "orders_a": None,
                "quantity_b": 0.00009,
                "orders_b": 1,
            },
        ],
    }
    rows = {row["order_id"]: row for row in found["orders"]["shown"]}
    assert found["orders"]["count"] == len(rows) == 2
    assert rows["x"]["differ"] == "quantity,remaining_quantity"
    assert (rows["y"]["status_a"], rows["y"]["status_b"]) == ("cancelled", "open")


def test_plain_output_has_both_records(pair: tuple[Path, Path]) -> None:
    parted(pair)
    text = told("replay", pair[0], "--diff", pair[1], code=ExitCode.ERROR)
    assert facts(text.split("\n\n")[0])["levels_that_differ"] == "2"
    a, b = text.splitlines()[-2:]
    assert a.split()[:2] == ["a", "6"]
    assert b.split()[:2] == ["b", "6"]
    assert ("buy 0.001 BTC-USD" in a, "buy 0.0007 BTC-USD" in b) == (True, True)


def test_up_to_where_they_part_they_are_the_same(pair: tuple[Path, Path]) -> None:
    parted(pair)
    assert diff(pair, "--until", "5")["same"] is True
    assert diff(pair, "--until", "2023-11-14T22:13:25Z")["seq"] == 5
    assert diff(pair, "--until", "6", code=ExitCode.ERROR)["first_difference"]["seq"] == 6


def test_only_one_has_an_order(pair: tuple[Path, Path]) -> None:
    for directory in pair:
        with exchange(directory) as made:
            made.commit(order(directory.name, "buy", 100, 5))
    rows = diff(pair, code=ExitCode.ERROR)["orders"]["shown"]
    assert [(row["order_id"], row["differ"]) for row in rows] == [
        ("a", "only_in_a"),
        ("b", "only_in_b"),
    ]


def test_many_differences_are_counted_and_some_shown(pair: tuple[Path, Path]) -> None:
    for directory in pair:
        with exchange(directory) as made:
            made.commit(
                *(order(f"{directory.name}{n}", "buy", 100 + n, 5, client="c") for n in range(30))
            )
    found = diff(pair, code=ExitCode.ERROR)
    assert (found["orders"]["count"], len(found["orders"]["shown"])) == (60, 20)
    assert found["levels"]["count"] == 0
    assert "… and 40 more" in told("replay", pair[0], "--diff", pair[1], code=ExitCode.ERROR)


def test_other_records_that_come_to_the_same_state(pair: tuple[Path, Path]) -> None:
    for directory in pair:
        with exchange(directory) as made:
            made.commit(CancelOrder(directory.name))  # refused: there is no such order
    found = diff(pair, code=ExitCode.ERROR)
    assert (found["same"], found["sections"]) == (False, [])
    assert (found["first_difference"]["seq"], found["first_difference"]["differ"]) == (
        2,
        ["command"],
    )


def test_the_same_records_and_a_snapshot_of_another_state(pair: tuple[Path, Path]) -> None:
    for directory in pair:
        with exchange(directory) as made:
            trade(made, 5)
            if directory == pair[1]:
                made.engine.limits = replace(made.engine.limits, trades_max=1)
                made.snapshot()
    found = diff(pair, code=ExitCode.ERROR)
    assert (found["same"], found["first_difference"], found["sections"]) == (False, None, ["head"])
    assert diff(pair, "--from-start")["same"] is True


def test_from_the_middle_of_a_commit_on(pair: tuple[Path, Path]) -> None:
    """The other log's first record lies within a frame of this one."""
    orders = [order(f"o{number}", "buy", 100 + number, 5) for number in range(20)]
    with exchange(pair[0]) as made:
        made.commit(*orders)
    with exchange(pair[1], segment_bytes_max=800) as made:
        for each in orders:
            made.commit(each)
        made.snapshot()
        assert made.log.prune(15)
        assert made.log.first_seq > 2
    assert diff(pair)["same"] is True


def test_other_limits_are_another_state(pair: tuple[Path, Path]) -> None:
    for directory, trades_max in zip(pair, (10, 20), strict=True):
        with exchange(directory) as made:
            made.commit(Configure((BTC,), Limits(trades_max=trades_max)))
    found = diff(pair, code=ExitCode.ERROR)
    assert found["sections"] == ["head"]
    assert found["first_difference"]["differ"] == ["command"]


def test_the_other_directory_is_judged_too(pair: tuple[Path, Path]) -> None:
    trading(pair[0], 20)
    result = run("replay", pair[0], "--diff", pair[1])
    assert result.exit_code == ExitCode.USAGE
    shutil.copytree(*pair)
    file, offset = damage(pair[1], frame=10)
    result = run("replay", pair[0], "--diff", pair[1])
    assert result.exit_code == ExitCode.LOG_DAMAGED
    assert f"{pair[1]}: {file} at byte {offset}" in result.stderr
    result = run("replay", pair[0], "--diff", pair[1], "--until", "22")
    assert result.exit_code == ExitCode.ERROR
    assert f"{pair[0]}: the log ends with record 21" in result.stderr


def test_one_book_of_two_states_is_refused(pair: tuple[Path, Path]) -> None:
    result = run("replay", pair[0], "--diff", pair[1], "--book", "BTC-USD")
    assert result.exit_code == ExitCode.USAGE
    assert "leave out --book" in result.stderr
