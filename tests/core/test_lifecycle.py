"""An order moves by the table only: closed is for good, and each move is stamped."""

from typing import get_args

import pytest

from tradeclear.core.lifecycle import TRANSITIONS, Order, move, restore
from tradeclear.model import reasons
from tradeclear.model.order import OrderState, Status

STATUSES = get_args(Status)
ALLOWED = {
    ("open", "open"),
    ("open", "partially_filled"),
    ("open", "filled"),
    ("open", "cancelled"),
    ("open", "rejected"),
    ("partially_filled", "partially_filled"),
    ("partially_filled", "filled"),
    ("partially_filled", "cancelled"),
}


def order(status: Status = "open") -> Order:
    return Order("o", "ann", "buy", 100, 5, 5, status=status)


def test_table_knows_every_status() -> None:
    assert set(TRANSITIONS) == set(STATUSES)


@pytest.mark.parametrize(("before", "after"), sorted(ALLOWED))
def test_allowed_move_is_made(before: Status, after: Status) -> None:
    moved = order(before)
    move(moved, after, reasons.NO_LIQUIDITY, 7, 8)
    assert (moved.status, moved.reason, moved.updated_sequence, moved.updated_at) == (
        after,
        reasons.NO_LIQUIDITY,
        7,
        8,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [(a, b) for a in STATUSES for b in STATUSES if (a, b) not in ALLOWED],
)
def test_any_other_move_is_a_bug(before: Status, after: Status) -> None:
    with pytest.raises(AssertionError, match=f"o: {before} to {after}"):
        move(order(before), after, reasons.NONE, 7, 8)


def test_state_and_restore_are_inverse() -> None:
    state = OrderState(
        "o", "ann", "BTC-USD", "sell", "limit", 100, 9, 4, 500, "gtc", True, "decrement",
        "partially_filled", 105, 1, 2, 3, 4,
    )  # fmt: skip
    assert restore(state).state() == state


def test_state_is_a_copy() -> None:
    moving = order()
    before = moving.state()
    move(moving, "cancelled", reasons.NONE, 7, 8)
    assert before.status == "open"
