"""Price-time priority: best price first, then the oldest, at the maker's price."""

from typing import Any

import pytest

from tradeclear.core import engine as core
from tradeclear.model import reasons
from tradeclear.model.commands import CancelOrder, Configure, Limits, PlaceOrder
from tradeclear.model.events import CommandRefused, LevelChanged, OrderPlaced, TradeExecuted

BTC = "BTC-USD"
ETH = "ETH-USD"


def test_order_that_meets_nothing_rests(exchange: Any) -> None:
    assert exchange.buy("b", 100, 5) == (
        OrderPlaced("b", "open", 5, 5, 0, reasons.NONE),
        LevelChanged(BTC, "buy", 100, 5, 1),
    )


def test_trade_is_at_the_makers_price(exchange: Any) -> None:
    exchange.sell("s", 100, 5, client="bob")
    assert exchange.buy("b", 103, 5) == (
        OrderPlaced("b", "filled", 5, 0, 500, reasons.NONE),
        TradeExecuted(1, BTC, 100, 5, "buy", "b", "s", "ann", "bob", 5, 0),
        LevelChanged(BTC, "sell", 100, 0, 0),
    )


def test_incoming_sell_trades_at_the_makers_price_too(exchange: Any) -> None:
    exchange.buy("b", 103, 5, client="bob")
    assert exchange.sell("s", 100, 2) == (
        OrderPlaced("s", "filled", 2, 0, 206, reasons.NONE),
        TradeExecuted(1, BTC, 103, 2, "sell", "b", "s", "bob", "ann", 5, 3),
        LevelChanged(BTC, "buy", 103, 3, 1),
    )


def test_best_price_goes_first_then_the_oldest(exchange: Any) -> None:
    exchange.sell("worse", 102, 1)
    exchange.sell("older", 101, 1)
    exchange.sell("younger", 101, 1)
    exchange.sell("best", 100, 1)
    events = exchange.buy("b", 102, 4)
    makers = [event.maker_order_id for event in events if isinstance(event, TradeExecuted)]
    assert makers == ["best", "older", "younger", "worse"]


def test_what_is_left_of_a_limit_order_rests(exchange: Any) -> None:
    exchange.sell("s", 100, 2, client="bob")
    assert exchange.buy("b", 101, 5) == (
        OrderPlaced("b", "partially_filled", 5, 3, 200, reasons.NONE),
        TradeExecuted(1, BTC, 100, 2, "buy", "b", "s", "ann", "bob", 2, 0),
        LevelChanged(BTC, "sell", 100, 0, 0),
        LevelChanged(BTC, "buy", 101, 3, 1),
    )


def test_partly_filled_maker_keeps_its_place(exchange: Any) -> None:
    exchange.sell("first", 100, 5)
    exchange.sell("second", 100, 5)
    exchange.buy("b", 100, 3)
    assert exchange.queue("sell") == [("first", 100, 2), ("second", 100, 5)]


def test_maker_is_stamped_by_the_command_that_traded_with_it(exchange: Any) -> None:
    exchange.sell("s", 100, 5)
    placed = exchange.state("s")
    exchange.buy("b", 100, 2)
    maker = exchange.state("s")
    assert (maker.sequence, maker.created_at, maker.updated_sequence, maker.updated_at) == (
        placed.sequence,
        placed.created_at,
        placed.sequence + 1,
        placed.created_at + 1,
    )


def test_instruments_have_books_of_their_own(exchange: Any) -> None:
    exchange.sell("s", 100, 5)
    exchange.buy("b", 100, 5, on=ETH)
    assert (exchange.queue("sell", BTC), exchange.queue("buy", ETH)) == (
        [("s", 100, 5)],
        [("b", 100, 5)],
    )


# Orders that don't rest


def test_market_order_takes_what_is_there_and_closes_partially_filled(exchange: Any) -> None:
    exchange.sell("s", 999, 2, client="bob")
    assert exchange.buy("m", 0, 5) == (
        OrderPlaced("m", "partially_filled", 5, 3, 1998, reasons.NONE),
        TradeExecuted(1, BTC, 999, 2, "buy", "m", "s", "ann", "bob", 2, 0),
        LevelChanged(BTC, "sell", 999, 0, 0),
    )


def test_partially_filled_market_order_is_closed(exchange: Any) -> None:
    exchange.sell("s", 100, 2)
    exchange.buy("m", 0, 5)
    assert exchange.state("m").closed


def test_market_order_without_liquidity_is_rejected(exchange: Any) -> None:
    assert exchange.sell("m", 0, 5) == (
        OrderPlaced("m", "rejected", 5, 5, 0, reasons.NO_LIQUIDITY),
    )


@pytest.mark.parametrize("tif", ["gtc", "ioc"])
def test_market_order_is_the_same_gtc_or_ioc(exchange: Any, tif: str) -> None:
    exchange.sell("s", 100, 2)
    (placed, *_rest) = exchange.buy("m", 0, 5, time_in_force=tif)
    assert placed == OrderPlaced("m", "partially_filled", 5, 3, 200, reasons.NONE)


def test_market_order_fill_or_kill_is_rejected_unless_whole(exchange: Any) -> None:
    exchange.sell("s", 100, 4)
    assert exchange.buy("m", 0, 5, time_in_force="fok") == (
        OrderPlaced("m", "rejected", 5, 5, 0, reasons.FILL_OR_KILL_UNFILLED),
    )


def test_ioc_remainder_is_cancelled_without_a_reason(exchange: Any) -> None:
    exchange.sell("s", 100, 2, client="bob")
    assert exchange.buy("b", 100, 5, time_in_force="ioc") == (
        OrderPlaced("b", "cancelled", 5, 3, 200, reasons.NONE),
        TradeExecuted(1, BTC, 100, 2, "buy", "b", "s", "ann", "bob", 2, 0),
        LevelChanged(BTC, "sell", 100, 0, 0),
    )


def test_ioc_that_meets_nothing_is_cancelled(exchange: Any) -> None:
    assert exchange.buy("b", 100, 5, time_in_force="ioc") == (
        OrderPlaced("b", "cancelled", 5, 5, 0, reasons.NONE),
    )


def test_fok_fills_whole_over_several_levels(exchange: Any) -> None:
    exchange.sell("near", 100, 3)
    exchange.sell("far", 101, 3)
    (placed, *_rest) = exchange.buy("b", 101, 5, time_in_force="fok")
    assert placed == OrderPlaced("b", "filled", 5, 0, 502, reasons.NONE)


def test_fok_does_not_count_prices_beyond_its_own(exchange: Any) -> None:
    exchange.sell("near", 100, 3)
    exchange.sell("far", 102, 3)
    assert exchange.buy("b", 101, 5, time_in_force="fok") == (
        OrderPlaced("b", "rejected", 5, 5, 0, reasons.FILL_OR_KILL_UNFILLED),
    )


def test_post_only_that_would_cross_is_rejected(exchange: Any) -> None:
    exchange.sell("s", 100, 1)
    assert exchange.buy("b", 100, 1, post_only=True) == (
        OrderPlaced("b", "rejected", 1, 1, 0, reasons.POST_ONLY_WOULD_CROSS),
    )


def test_post_only_beside_the_other_side_rests(exchange: Any) -> None:
    exchange.sell("s", 100, 1)
    assert exchange.buy("b", 99, 1, post_only=True) == (
        OrderPlaced("b", "open", 1, 1, 0, reasons.NONE),
        LevelChanged(BTC, "buy", 99, 1, 1),
    )


# Refused: nothing changed, nothing remembered


def test_unknown_instrument_is_refused(exchange: Any) -> None:
    assert exchange.buy("b", 100, 1, on="XXX-USD") == (CommandRefused(reasons.UNKNOWN_INSTRUMENT),)


def test_instrument_that_does_not_trade_takes_no_orders(exchange: Any, instrument: Any) -> None:
    exchange.configure(instrument(BTC, trading=False), instrument(ETH))
    assert exchange.buy("b", 100, 1) == (CommandRefused(reasons.UNKNOWN_INSTRUMENT),)


def test_duplicate_id_is_refused_with_the_order_it_names(exchange: Any) -> None:
    exchange.buy("b", 100, 1)
    first = exchange.state("b")
    assert exchange.sell("b", 200, 7, client="bob", on=ETH) == (
        CommandRefused(reasons.DUPLICATE_ORDER_ID, first),
    )


def test_id_of_a_rejected_order_stays_taken(exchange: Any) -> None:
    exchange.buy("b", 0, 1)
    rejected = exchange.state("b")
    assert exchange.buy("b", 100, 1) == (CommandRefused(reasons.DUPLICATE_ORDER_ID, rejected),)


def test_id_of_a_refused_order_stays_free(exchange: Any) -> None:
    exchange.buy("b", 100, 1, on="XXX-USD")
    assert exchange.buy("b", 100, 1)[0] == OrderPlaced("b", "open", 1, 1, 0, reasons.NONE)


@pytest.mark.parametrize(
    ("price", "quantity", "kind"),
    [
        (0, 5, "limit"),
        (-1, 5, "limit"),
        (1_001, 5, "limit"),
        (100, 5, "market"),
        (100, 0, "limit"),
        (100, -5, "limit"),
        (100, 1, "limit"),
        (100, 51, "limit"),
        (0, 1, "market"),
        (0, 51, "market"),
        (49, 2, "limit"),
        (1_000, 41, "limit"),
    ],
)
def test_order_outside_the_instruments_limits_is_refused(
    exchange: Any, instrument: Any, price: int, quantity: int, kind: str
) -> None:
    narrow = instrument(
        BTC, quantity_lots_min=2, quantity_lots_max=50, notional_min=99, notional_max=40_000
    )
    exchange.configure(narrow, instrument(ETH))
    assert exchange.buy("b", price, quantity, type=kind) == (
        CommandRefused(reasons.OUTSIDE_LIMITS),
    )


@pytest.mark.parametrize(("price", "quantity"), [(1_000, 40), (50, 2), (9, 11)])
def test_limits_are_inclusive(exchange: Any, instrument: Any, price: int, quantity: int) -> None:
    narrow = instrument(
        BTC, quantity_lots_min=2, quantity_lots_max=50, notional_min=99, notional_max=40_000
    )
    exchange.configure(narrow, instrument(ETH))
    (placed, *_rest) = exchange.buy("b", price, quantity)
    assert placed == OrderPlaced("b", "open", quantity, quantity, 0, reasons.NONE)


def test_market_order_has_no_notional_check(exchange: Any, instrument: Any) -> None:
    exchange.configure(instrument(BTC, notional_min=100, notional_max=101), instrument(ETH))
    (placed,) = exchange.buy("m", 0, 50_000)
    assert placed == OrderPlaced("m", "rejected", 50_000, 50_000, 0, reasons.NO_LIQUIDITY)


# Bounds


def test_full_table_rejects_an_order_that_could_rest(exchange: Any) -> None:
    exchange.limit(open_orders_max=1)
    exchange.sell("s", 100, 1)
    assert exchange.sell("t", 101, 1) == (
        OrderPlaced("t", "rejected", 1, 1, 0, reasons.OPEN_ORDERS_MAX_REACHED),
    )


def test_full_table_rejects_a_gtc_order_even_if_it_would_cross(exchange: Any) -> None:
    exchange.limit(open_orders_max=1)
    exchange.sell("s", 100, 1)
    assert exchange.buy("b", 100, 1) == (
        OrderPlaced("b", "rejected", 1, 1, 0, reasons.OPEN_ORDERS_MAX_REACHED),
    )


@pytest.mark.parametrize(("price", "tif"), [(100, "ioc"), (100, "fok"), (0, "gtc")])
def test_full_table_lets_orders_that_cannot_rest_trade(exchange: Any, price: int, tif: str) -> None:
    exchange.limit(open_orders_max=1)
    exchange.sell("s", 100, 1)
    (placed, *_rest) = exchange.buy("b", price, 1, time_in_force=tif)
    assert placed == OrderPlaced("b", "filled", 1, 0, 100, reasons.NONE)


def test_post_only_is_looked_at_before_the_full_table(exchange: Any) -> None:
    exchange.limit(open_orders_max=1)
    exchange.sell("s", 100, 1)
    assert exchange.buy("b", 100, 1, post_only=True) == (
        OrderPlaced("b", "rejected", 1, 1, 0, reasons.POST_ONLY_WOULD_CROSS),
    )


def test_one_command_fills_at_most_so_many_orders(
    exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "FILLS_MAX", 2)
    for number in range(3):
        exchange.sell(f"s{number}", 100, 1, client="bob")
    assert exchange.buy("b", 100, 3) == (
        OrderPlaced("b", "cancelled", 3, 1, 200, reasons.TOO_MANY_FILLS),
        TradeExecuted(1, BTC, 100, 1, "buy", "b", "s0", "ann", "bob", 1, 0),
        TradeExecuted(2, BTC, 100, 1, "buy", "b", "s1", "ann", "bob", 1, 0),
        LevelChanged(BTC, "sell", 100, 1, 1),
    )


def test_cap_does_not_cut_an_order_that_has_nothing_more_to_meet(
    exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "FILLS_MAX", 2)
    exchange.sell("s0", 100, 1)
    exchange.sell("s1", 100, 1)
    exchange.sell("s2", 101, 1)
    (placed, *_rest) = exchange.buy("b", 100, 3)
    assert placed == OrderPlaced("b", "partially_filled", 3, 1, 200, reasons.NONE)


def test_fok_that_needs_more_fills_than_one_command_has_is_rejected(
    exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "FILLS_MAX", 2)
    for number in range(3):
        exchange.sell(f"s{number}", 100, 1)
    assert exchange.buy("b", 100, 3, time_in_force="fok") == (
        OrderPlaced("b", "rejected", 3, 3, 0, reasons.FILL_OR_KILL_UNFILLED),
    )


def test_the_cap_is_ten_thousand(exchange: Any) -> None:
    for number in range(10_001):
        exchange.sell(f"s{number}", 100, 1)
    (placed, *_rest) = exchange.buy("b", 100, 10_001)
    assert placed == OrderPlaced("b", "cancelled", 10_001, 1, 1_000_000, reasons.TOO_MANY_FILLS)


def test_trades_of_a_partition_are_numbered_from_its_own_start(instrument: Any) -> None:
    engine = core.Engine()
    engine.apply(1, 0, Configure((instrument(BTC),), Limits(), partition=3))
    engine.apply(2, 0, PlaceOrder("s", "bob", BTC, "sell", "limit", 100, 1))
    events = engine.apply(3, 0, PlaceOrder("b", "ann", BTC, "buy", "limit", 100, 1))
    assert events[1] == TradeExecuted(
        (3 << 40) + 1, BTC, 100, 1, "buy", "b", "s", "ann", "bob", 1, 0
    )


def test_only_the_newest_trades_are_remembered(exchange: Any) -> None:
    exchange.limit(trades_max=2)
    exchange.sell("s", 100, 3)
    for number in range(3):
        exchange.buy(f"b{number}", 100, 1)
    assert [trade.executed.trade_id for trade in exchange.engine.trades.values()] == [2, 3]


# The caller's part


def test_a_gap_in_the_sequence_is_a_bug(exchange: Any) -> None:
    with pytest.raises(AssertionError, match="record 3 does not follow 1"):
        exchange.engine.apply(3, 5, CancelOrder("b"))


def test_time_that_runs_backwards_is_a_bug(exchange: Any) -> None:
    with pytest.raises(AssertionError, match="time 0 is before 1"):
        exchange.engine.apply(2, 0, CancelOrder("b"))
