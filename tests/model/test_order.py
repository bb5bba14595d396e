"""Every order says if it can still trade, and filled is quantity less remaining."""

import pytest

from tradeclear.model.order import OrderState, OrderType, Status, is_closed


@pytest.mark.parametrize(
    ("status", "kind", "closed"),
    [
        ("open", "limit", False),
        ("partially_filled", "limit", False),
        ("filled", "limit", True),
        ("cancelled", "limit", True),
        ("rejected", "limit", True),
        ("open", "market", True),
        ("partially_filled", "market", True),
        ("filled", "market", True),
        ("cancelled", "market", True),
        ("rejected", "market", True),
    ],
)
def test_what_is_closed(status: Status, kind: OrderType, closed: bool) -> None:
    assert is_closed(status, kind) is closed


def test_filled_is_quantity_less_remaining() -> None:
    order = OrderState(
        "o", "ann", "BTC-USD", "buy", "limit", 100, 9, 4, 500, "gtc", False, "none",
        "partially_filled", 0, 1, 2, 3, 4,
    )  # fmt: skip
    assert (order.filled_quantity, order.closed) == (5, False)
