"""Levels come best first, orders oldest first, and emptied levels are never seen."""

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeclear.core import ladder as module
from tradeclear.core.ladder import Ladder
from tradeclear.core.lifecycle import Order
from tradeclear.model.order import Side


def order(name: str, side: Side, price: int, remaining: int = 1) -> Order:
    return Order(name, "ann", side, price, remaining, remaining)


def shown(ladder: Ladder) -> list[tuple[int, int, list[str]]]:
    return [
        (level.price, level.quantity, [order.order_id for order in level.queue.values()])
        for level in ladder.best_first()
    ]


@pytest.mark.parametrize(("side", "prices"), [("buy", [103, 102, 101]), ("sell", [101, 102, 103])])
def test_best_price_comes_first(side: Side, prices: list[int]) -> None:
    ladder = Ladder(side)
    for price in (102, 101, 103):
        ladder.rest(order("o", side, price))
    assert [level.price for level in ladder.best_first()] == prices


def test_level_is_a_queue() -> None:
    ladder = Ladder("buy")
    for name, remaining in (("a", 3), ("b", 4), ("c", 5)):
        ladder.rest(order(name, "buy", 100, remaining))
    assert shown(ladder) == [(100, 12, ["a", "b", "c"])]


def test_order_leaves_from_the_middle() -> None:
    ladder = Ladder("buy")
    middle = order("b", "buy", 100, 4)
    for each in (order("a", "buy", 100, 3), middle, order("c", "buy", 100, 5)):
        ladder.rest(each)
    ladder.remove(middle)
    assert shown(ladder) == [(100, 8, ["a", "c"])]


def test_level_of_a_price_is_found_only_while_it_has_orders() -> None:
    ladder = Ladder("sell")
    ladder.rest(order("best", "sell", 100))
    away = order("away", "sell", 101)
    ladder.rest(away)
    before = ladder.level(101)
    ladder.remove(away)
    assert (before is not None, ladder.level(101), ladder.level(102)) == (True, None, None)


def test_emptied_level_below_the_best_is_filled_again() -> None:
    ladder = Ladder("buy")
    ladder.rest(order("best", "buy", 100))
    away = order("away", "buy", 90)
    ladder.rest(away)
    ladder.remove(away)
    ladder.rest(order("back", "buy", 90, 7))
    ladder.assert_consistent()
    assert shown(ladder) == [(100, 1, ["best"]), (90, 7, ["back"])]


def test_best_level_that_empties_takes_the_empty_ones_below_it_along() -> None:
    ladder = Ladder("buy")
    orders = [order(str(price), "buy", price) for price in (100, 99, 98, 97)]
    for each in orders:
        ladder.rest(each)
    for gone in (orders[1], orders[2], orders[0]):
        ladder.remove(gone)
    assert (ladder.keys, shown(ladder)) == ([97], [(97, 1, ["97"])])


def test_emptied_levels_are_swept_when_they_are_too_many() -> None:
    ladder = Ladder("buy")
    ladder.rest(order("best", "buy", 1_000))
    for price in range(1, module.EMPTY_LEVELS_MAX + 2):
        fleeting = order(str(price), "buy", price)
        ladder.rest(fleeting)
        ladder.remove(fleeting)
    assert ladder.keys == [1_000]


def test_as_many_empty_levels_as_full_ones_may_stay() -> None:
    ladder = Ladder("buy")
    for price in range(1_000, 1_200):
        ladder.rest(order(str(price), "buy", price))
    for price in range(1, 201):
        fleeting = order(str(price), "buy", price)
        ladder.rest(fleeting)
        ladder.remove(fleeting)
    assert (len(ladder.keys), len(ladder)) == (400, 200)


@given(
    side=st.sampled_from(["buy", "sell"]),
    steps=st.lists(st.tuples(st.integers(-6, 12), st.integers(1, 9), st.integers(0, 99))),
)
def test_any_sequence_of_steps_gives_what_a_sorted_list_gives(
    side: Side, steps: list[tuple[int, int, int]]
) -> None:
    """A negative price removes some order instead."""
    ladder = Ladder(side)
    model: list[Order] = []
    with mock.patch.object(module, "EMPTY_LEVELS_MAX", 2):
        for number, (price, remaining, pick) in enumerate(steps):
            if price > 0:
                model.append(order(str(number), side, price, remaining))
                ladder.rest(model[-1])
            elif model:
                ladder.remove(model.pop(pick % len(model)))
            ladder.assert_consistent()
    sign = -1 if side == "buy" else 1
    expected = sorted(model, key=lambda order: sign * order.price)  # stable: oldest first
    found = [order for level in ladder.best_first() for order in level.queue.values()]
    assert [order.order_id for order in found] == [order.order_id for order in expected]


@given(steps=st.lists(st.tuples(st.integers(-6, 12), st.integers(0, 99))))
def test_length_is_the_number_of_levels_with_orders(steps: list[tuple[int, int]]) -> None:
    ladder = Ladder("buy")
    resting: list[Order] = []
    for price, pick in steps:
        if price > 0:
            resting.append(order("o", "buy", price))
            ladder.rest(resting[-1])
        elif resting:
            ladder.remove(resting.pop(pick % len(resting)))
    assert len(ladder) == len({order.price for order in resting})
