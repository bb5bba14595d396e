"""Less quantity at the same price keeps priority, more or another price loses it and may trade."""

from typing import Any

import pytest
from msgspec.structs import replace

from tradeclear.core import engine as core
from tradeclear.model import reasons
from tradeclear.model.events import (
    CommandRefused,
    LevelChanged,
    OrderAmended,
    OrderCancelled,
    TradeExecuted,
)

BTC = "BTC-USD"
ETH = "ETH-USD"


def test_less_quantity_keeps_priority(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    exchange.buy("c", 100, 5)
    exchange.amend("b", quantity=4)
    assert exchange.queue("buy") == [("b", 100, 4), ("c", 100, 5)]


def test_less_quantity_tells_the_order_and_its_level(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    before = exchange.state("b")
    assert exchange.amend("b", quantity=4) == (
        OrderAmended(
            replace(before, quantity=4, remaining_quantity=4, updated_at=3, updated_sequence=3)
        ),
        LevelChanged(BTC, "buy", 100, 4, 1),
    )


def test_more_quantity_goes_to_the_back(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    exchange.buy("c", 100, 5)
    exchange.amend("b", quantity=6)
    assert exchange.queue("buy") == [("c", 100, 5), ("b", 100, 6)]


def test_more_quantity_tells_its_level_once(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    before = exchange.state("b")
    assert exchange.amend("b", quantity=6) == (
        OrderAmended(
            replace(before, quantity=6, remaining_quantity=6, updated_at=3, updated_sequence=3)
        ),
        LevelChanged(BTC, "buy", 100, 6, 1),
    )


def test_another_price_goes_to_the_back_of_its_level(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    exchange.buy("c", 99, 5)
    exchange.amend("b", price=99)
    assert exchange.queue("buy") == [("c", 99, 5), ("b", 99, 5)]


def test_another_price_tells_both_levels(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    before = exchange.state("b")
    assert exchange.amend("b", price=99) == (
        OrderAmended(replace(before, price=99, updated_at=3, updated_sequence=3)),
        LevelChanged(BTC, "buy", 100, 0, 0),
        LevelChanged(BTC, "buy", 99, 5, 1),
    )


def test_less_quantity_at_another_price_loses_priority(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    exchange.buy("c", 99, 5)
    exchange.amend("b", price=99, quantity=1)
    assert exchange.queue("buy") == [("c", 99, 5), ("b", 99, 1)]


def test_unchanged_values_change_nothing_not_even_a_stamp(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    before = exchange.state("b")
    assert exchange.amend("b", price=100, quantity=5) == (OrderAmended(before),)


def test_unchanged_values_keep_priority(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    exchange.buy("c", 100, 5)
    exchange.amend("b")
    assert exchange.queue("buy") == [("b", 100, 5), ("c", 100, 5)]


def test_unchanged_values_are_accepted_outside_limits_that_came_later(
    exchange: Any, instrument: Any
) -> None:
    exchange.buy("b", 100, 5)
    before = exchange.state("b")
    exchange.configure(instrument(BTC, quantity_lots_max=4), instrument(ETH))
    assert exchange.amend("b", quantity=5) == (OrderAmended(before),)


def test_quantity_is_the_new_total(exchange: Any) -> None:
    exchange.sell("s", 100, 10)
    exchange.buy("b", 100, 4)
    exchange.amend("s", quantity=6)
    after = exchange.state("s")
    assert (after.quantity, after.filled_quantity, after.remaining_quantity, after.status) == (
        6,
        4,
        2,
        "partially_filled",
    )


@pytest.mark.parametrize("quantity", [4, 3, -1])
def test_quantity_not_above_what_is_filled_is_refused(exchange: Any, quantity: int) -> None:
    exchange.sell("s", 100, 10)
    exchange.buy("b", 100, 4)
    before = exchange.state("s")
    assert exchange.amend("s", quantity=quantity) == (
        CommandRefused(reasons.QUANTITY_NOT_ABOVE_FILLED, before),
    )


@pytest.mark.parametrize(("price", "quantity"), [(1_001, 0), (-1, 0), (0, 51), (0, 1), (10, 0)])
def test_limits_are_checked_again(
    exchange: Any, instrument: Any, price: int, quantity: int
) -> None:
    narrow = instrument(BTC, quantity_lots_min=2, quantity_lots_max=50, notional_min=100)
    exchange.configure(narrow, instrument(ETH))
    exchange.buy("b", 100, 5)
    before = exchange.state("b")
    assert exchange.amend("b", price=price, quantity=quantity) == (
        CommandRefused(reasons.OUTSIDE_LIMITS, before),
    )


def test_amend_of_an_unknown_order_is_refused(exchange: Any) -> None:
    assert exchange.amend("b", price=100) == (CommandRefused(reasons.UNKNOWN_ORDER),)


def test_amend_of_somebody_elses_order_is_refused(exchange: Any) -> None:
    exchange.buy("b", 100, 5, client="ann")
    assert exchange.amend("b", price=99, client="bob") == (CommandRefused(reasons.UNKNOWN_ORDER),)


def test_amend_of_a_closed_order_is_refused_with_its_state(exchange: Any) -> None:
    exchange.buy("b", 0, 5)
    closed = exchange.state("b")
    assert exchange.amend("b", quantity=9) == (CommandRefused(reasons.ORDER_CLOSED, closed),)


# A price that crosses


def test_price_that_crosses_trades_and_the_rest_rests(exchange: Any) -> None:
    exchange.sell("s", 101, 2, client="bob")
    exchange.buy("b", 100, 5)
    before = exchange.state("b")
    assert exchange.amend("b", price=102) == (
        OrderAmended(
            replace(
                before,
                price=102,
                remaining_quantity=3,
                notional=202,
                status="partially_filled",
                updated_at=4,
                updated_sequence=4,
            )
        ),
        TradeExecuted(1, BTC, 101, 2, "buy", "b", "s", "ann", "bob", 2, 0),
        LevelChanged(BTC, "buy", 100, 0, 0),
        LevelChanged(BTC, "sell", 101, 0, 0),
        LevelChanged(BTC, "buy", 102, 3, 1),
    )


def test_price_that_crosses_may_fill_the_order(exchange: Any) -> None:
    exchange.sell("s", 101, 5, client="bob")
    exchange.buy("b", 100, 5)
    before = exchange.state("b")
    assert exchange.amend("b", price=101) == (
        OrderAmended(
            replace(
                before,
                price=101,
                remaining_quantity=0,
                notional=505,
                status="filled",
                updated_at=4,
                updated_sequence=4,
            )
        ),
        TradeExecuted(1, BTC, 101, 5, "buy", "b", "s", "ann", "bob", 5, 0),
        LevelChanged(BTC, "buy", 100, 0, 0),
        LevelChanged(BTC, "sell", 101, 0, 0),
    )


def test_post_only_order_is_not_amended_to_a_price_that_crosses(exchange: Any) -> None:
    exchange.sell("s", 101, 5)
    exchange.buy("b", 100, 5, post_only=True)
    before = exchange.state("b")
    assert exchange.amend("b", price=101) == (CommandRefused(reasons.AMEND_WOULD_CROSS, before),)


def test_refused_amend_leaves_the_order_in_its_place(exchange: Any) -> None:
    exchange.sell("s", 101, 5)
    exchange.buy("b", 100, 5, post_only=True)
    exchange.buy("c", 100, 5)
    exchange.amend("b", price=101)
    assert exchange.queue("buy") == [("b", 100, 5), ("c", 100, 5)]


def test_amended_orders_own_mode_prevents_its_self_trades(exchange: Any) -> None:
    exchange.sell("s", 101, 5, client="ann", self_trade_prevention="none")
    exchange.buy("b", 100, 5, client="ann", self_trade_prevention="cancel_resting")
    prevented = replace(
        exchange.state("s"),
        status="cancelled",
        reason=reasons.SELF_TRADE_PREVENTED,
        updated_at=4,
        updated_sequence=4,
    )
    events = exchange.amend("b", price=101)
    assert events[1:] == (
        OrderCancelled(prevented),
        LevelChanged(BTC, "buy", 100, 0, 0),
        LevelChanged(BTC, "sell", 101, 0, 0),
        LevelChanged(BTC, "buy", 101, 5, 1),
    )


def test_amend_that_meets_too_many_orders_is_cut_short(
    exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "FILLS_MAX", 1)
    exchange.sell("s", 101, 1)
    exchange.sell("t", 101, 1)
    exchange.buy("b", 100, 5)
    exchange.amend("b", price=101)
    after = exchange.state("b")
    assert (after.status, after.reason, after.remaining_quantity) == (
        "cancelled",
        reasons.TOO_MANY_FILLS,
        4,
    )


# A table that is fuller than a later configuration allows


def test_amend_is_carried_out_in_a_table_that_is_over_its_bound(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    exchange.buy("c", 100, 5)
    exchange.limit(open_orders_max=1)
    exchange.amend("b", price=99)
    assert exchange.queue("buy") == [("c", 100, 5), ("b", 99, 5)]


def test_amend_of_a_partially_filled_order_over_the_bound(exchange: Any) -> None:
    exchange.sell("s", 100, 5)
    exchange.sell("t", 100, 5)
    exchange.buy("b", 100, 1)
    exchange.limit(open_orders_max=1)
    exchange.amend("s", quantity=7)
    assert exchange.queue("sell") == [("t", 100, 5), ("s", 100, 6)]
