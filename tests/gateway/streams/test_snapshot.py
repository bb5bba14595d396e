"""The rule: a snapshot is the state at its sequence, whole or marked as not, in parts."""

import json
from typing import Any

import pytest

from tradeclear.gateway.streams import snapshot
from tradeclear.gateway.streams.snapshot import parts, read_state
from tradeclear.gateway.streams.topic import Topic

DELTAS = Topic("orderbook_deltas", "BTC-USD")
ORDERS = Topic("orders", "BTC-USD", "A")


def told(desk: Any, topic: Topic) -> list[Any]:
    state = read_state(desk.engine, [topic])
    return [json.loads(m.text) for m in parts(state, topic, desk.instrument(topic.instrument))]


def test_an_empty_book(desk: Any) -> None:
    (part,) = told(desk, DELTAS)
    assert (part["part"], part["parts"], part["complete"]) == (1, 1, True)
    assert (part["bids"], part["asks"], part["sequence"]) == ([], [], 1)


@pytest.mark.parametrize(("bids", "asks"), [(3, 2), (10, 0), (0, 11), (7, 13), (20, 20)])
def test_levels_best_first_over_parts(
    desk: Any, place: Any, monkeypatch: pytest.MonkeyPatch, bids: int, asks: int
) -> None:
    monkeypatch.setattr(snapshot, "PART_LEVELS", 10)
    for number in range(bids):
        desk.carry_out(place(f"b{number}", 1000 - number, 1))
    for number in range(asks):
        desk.carry_out(place(f"a{number}", 1001 + number, 1, side="sell"))
    found = told(desk, DELTAS)
    assert [part["part"] for part in found] == list(range(1, found[0]["parts"] + 1))
    assert all(len(part["bids"]) + len(part["asks"]) <= 10 for part in found)
    assert [row[0] for part in found for row in part["bids"]] == [
        (1000 - number) / 100 for number in range(bids)
    ]
    assert [row[0] for part in found for row in part["asks"]] == [
        (1001 + number) / 100 for number in range(asks)
    ]


def test_a_book_that_is_too_deep(desk: Any, place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "LEVELS_MAX", 2)
    for number in range(3):
        desk.carry_out(place(f"b{number}", 100 + number, 1))
    (part,) = told(desk, DELTAS)
    assert (part["complete"], [row[0] for row in part["bids"]]) == (False, [1.02, 1.01])


def test_open_orders_oldest_first(desk: Any, place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "PART_ORDERS", 2)
    for number in range(5):
        desk.carry_out(place(f"{number}", 100, 1))
    desk.carry_out(place("other", 100, 1, "B"))
    desk.carry_out(place("elsewhere", 100, 1, instrument="ETH-USD"))
    desk.carry_out(place("sold", 100, 1, "C", side="sell"))
    found = told(desk, ORDERS)
    assert [len(part["orders"]) for part in found] == [2, 2]
    assert [order["order_id"] for part in found for order in part["orders"]] == ["1", "2", "3", "4"]
    assert all(part["complete"] for part in found)


def test_too_many_open_orders(desk: Any, place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "ORDERS_MAX", 2)
    for number in range(4):
        desk.carry_out(place(f"{number}", 100, 1))
    (part,) = told(desk, ORDERS)
    assert (part["complete"], [o["order_id"] for o in part["orders"]]) == (False, ["2", "3"])


def test_trades_have_none(desk: Any) -> None:
    assert told(desk, Topic("trades", "BTC-USD")) == []
