"""Reasons are numbered for good: the log keeps the numbers, people read the names."""

from tradeclear.model.reasons import NAMES


def test_numbers_and_names_are_pinned() -> None:
    assert NAMES == {
        0: "none",
        101: "no_liquidity",
        102: "post_only_would_cross",
        103: "fill_or_kill_unfilled",
        104: "too_many_fills",
        105: "self_trade_prevented",
        106: "open_orders_max_reached",
        201: "duplicate_order_id",
        202: "unknown_order",
        203: "order_closed",
        204: "quantity_not_above_filled",
        205: "amend_would_cross",
        206: "unknown_instrument",
        207: "configuration_refused",
        208: "outside_limits",
    }
