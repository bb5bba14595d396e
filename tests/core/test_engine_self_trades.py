"""Self-trade prevention: the incoming order's mode governs, between orders of one client."""

from typing import Any

import pytest
from msgspec.structs import replace

from tradeclear.core import engine as core
from tradeclear.model import reasons
from tradeclear.model.events import (
    LevelChanged,
    OrderAmended,
    OrderCancelled,
    OrderPlaced,
    TradeExecuted,
)
from tradeclear.model.order import OrderState

BTC = "BTC-USD"
PREVENTED = reasons.SELF_TRADE_PREVENTED


@pytest.fixture
def book(exchange: Any) -> Any:
    """Bob asks 2 at 100, ann 3 at 101, bob 4 at 102; records 2 to 4."""
    exchange.sell("near", 100, 2, client="bob")
    exchange.sell("own", 101, 3, client="ann")
    exchange.sell("far", 102, 4, client="bob")
    return exchange


def own_after(book: Any, seq: int, **changes: Any) -> OrderState:
    """Ann's resting order as record `seq` leaves it."""
    own: OrderState = book.state("own")
    return replace(own, updated_at=seq, updated_sequence=seq, **changes)


def test_none_trades_with_itself(book: Any) -> None:
    assert book.buy("b", 101, 3, self_trade_prevention="none") == (
        OrderPlaced("b", "filled", 3, 0, 301, reasons.NONE),
        TradeExecuted(1, BTC, 100, 2, "buy", "b", "near", "ann", "bob", 2, 0),
        TradeExecuted(2, BTC, 101, 1, "buy", "b", "own", "ann", "ann", 3, 2),
        LevelChanged(BTC, "sell", 100, 0, 0),
        LevelChanged(BTC, "sell", 101, 2, 1),
    )


def test_the_resting_orders_mode_does_not_matter(exchange: Any) -> None:
    exchange.sell("own", 100, 3, self_trade_prevention="cancel_both")
    (placed, *_rest) = exchange.buy("b", 100, 3, self_trade_prevention="none")
    assert placed == OrderPlaced("b", "filled", 3, 0, 300, reasons.NONE)


@pytest.mark.parametrize("mode", ["cancel_incoming", "cancel_resting", "cancel_both", "decrement"])
def test_every_mode_trades_with_others(exchange: Any, mode: str) -> None:
    exchange.sell("s", 100, 3, client="bob")
    (placed, *_rest) = exchange.buy("b", 100, 3, self_trade_prevention=mode)
    assert placed == OrderPlaced("b", "filled", 3, 0, 300, reasons.NONE)


def test_cancel_incoming_trades_what_is_before_its_own_then_stops(book: Any) -> None:
    assert book.buy("b", 102, 9, self_trade_prevention="cancel_incoming") == (
        OrderPlaced("b", "cancelled", 9, 7, 200, PREVENTED),
        TradeExecuted(1, BTC, 100, 2, "buy", "b", "near", "ann", "bob", 2, 0),
        LevelChanged(BTC, "sell", 100, 0, 0),
    )


def test_cancel_incoming_leaves_its_own_order_as_it_was(book: Any) -> None:
    before = book.state("own")
    book.buy("b", 102, 9, self_trade_prevention="cancel_incoming")
    assert book.state("own") == before


def test_cancel_incoming_that_is_filled_before_its_own_is_filled(book: Any) -> None:
    (placed, *_rest) = book.buy("b", 102, 2, self_trade_prevention="cancel_incoming")
    assert placed == OrderPlaced("b", "filled", 2, 0, 200, reasons.NONE)


def test_cancel_incoming_stops_a_market_order(book: Any) -> None:
    (placed, *_rest) = book.buy("m", 0, 9, self_trade_prevention="cancel_incoming")
    assert placed == OrderPlaced("m", "cancelled", 9, 7, 200, PREVENTED)


def test_cancel_resting_cancels_its_own_and_goes_on(book: Any) -> None:
    own = own_after(book, 5, status="cancelled", reason=PREVENTED)
    assert book.buy("b", 102, 9, self_trade_prevention="cancel_resting") == (
        OrderPlaced("b", "partially_filled", 9, 3, 608, reasons.NONE),
        TradeExecuted(1, BTC, 100, 2, "buy", "b", "near", "ann", "bob", 2, 0),
        OrderCancelled(own),
        TradeExecuted(2, BTC, 102, 4, "buy", "b", "far", "ann", "bob", 4, 0),
        LevelChanged(BTC, "sell", 100, 0, 0),
        LevelChanged(BTC, "sell", 101, 0, 0),
        LevelChanged(BTC, "sell", 102, 0, 0),
        LevelChanged(BTC, "buy", 102, 3, 1),
    )


def test_cancel_resting_market_order_that_trades_nothing_has_no_liquidity(exchange: Any) -> None:
    exchange.sell("own", 100, 3)
    (placed, *_rest) = exchange.buy("m", 0, 9, self_trade_prevention="cancel_resting")
    assert placed == OrderPlaced("m", "rejected", 9, 9, 0, reasons.NO_LIQUIDITY)


def test_cancel_both_closes_both(book: Any) -> None:
    own = own_after(book, 5, status="cancelled", reason=PREVENTED)
    assert book.buy("b", 102, 9, self_trade_prevention="cancel_both") == (
        OrderPlaced("b", "cancelled", 9, 7, 200, PREVENTED),
        TradeExecuted(1, BTC, 100, 2, "buy", "b", "near", "ann", "bob", 2, 0),
        OrderCancelled(own),
        LevelChanged(BTC, "sell", 100, 0, 0),
        LevelChanged(BTC, "sell", 101, 0, 0),
    )


def test_decrement_lowers_both_and_closes_the_smaller_one_at_rest(book: Any) -> None:
    own = own_after(book, 5, status="cancelled", reason=PREVENTED, quantity=0, remaining_quantity=0)
    assert book.buy("b", 102, 9, self_trade_prevention="decrement") == (
        OrderPlaced("b", "filled", 6, 0, 608, reasons.NONE),
        TradeExecuted(1, BTC, 100, 2, "buy", "b", "near", "ann", "bob", 2, 0),
        OrderCancelled(own),
        TradeExecuted(2, BTC, 102, 4, "buy", "b", "far", "ann", "bob", 4, 0),
        LevelChanged(BTC, "sell", 100, 0, 0),
        LevelChanged(BTC, "sell", 101, 0, 0),
        LevelChanged(BTC, "sell", 102, 0, 0),
    )


def test_decrement_lowers_both_and_closes_the_smaller_one_that_came(book: Any) -> None:
    own = own_after(book, 5, quantity=2, remaining_quantity=2)
    assert book.buy("b", 102, 3, self_trade_prevention="decrement") == (
        OrderPlaced("b", "cancelled", 2, 0, 200, PREVENTED),
        TradeExecuted(1, BTC, 100, 2, "buy", "b", "near", "ann", "bob", 2, 0),
        OrderAmended(own),
        LevelChanged(BTC, "sell", 100, 0, 0),
        LevelChanged(BTC, "sell", 101, 2, 1),
    )


def test_decrement_of_equals_closes_both(exchange: Any) -> None:
    exchange.sell("own", 101, 3)
    own = own_after(
        exchange, 3, status="cancelled", reason=PREVENTED, quantity=0, remaining_quantity=0
    )
    assert exchange.buy("b", 101, 3, self_trade_prevention="decrement") == (
        OrderPlaced("b", "cancelled", 0, 0, 0, PREVENTED),
        OrderCancelled(own),
        LevelChanged(BTC, "sell", 101, 0, 0),
    )


def test_decrement_keeps_what_the_resting_order_had_filled(exchange: Any) -> None:
    exchange.sell("own", 101, 5, client="ann")
    exchange.buy("other", 101, 2, client="bob")
    exchange.buy("b", 101, 1, client="ann", self_trade_prevention="decrement")
    own = exchange.state("own")
    assert (own.status, own.quantity, own.filled_quantity, own.remaining_quantity) == (
        "partially_filled",
        4,
        2,
        2,
    )


def test_decremented_order_keeps_its_place(exchange: Any) -> None:
    exchange.sell("own", 101, 5, client="ann")
    exchange.sell("next", 101, 5, client="bob")
    exchange.buy("b", 101, 1, client="ann", self_trade_prevention="decrement")
    assert exchange.queue("sell") == [("own", 101, 4), ("next", 101, 5)]


@pytest.mark.parametrize(
    ("mode", "status"),
    [
        ("none", "filled"),
        ("cancel_incoming", "rejected"),
        ("cancel_resting", "filled"),
        ("cancel_both", "rejected"),
        ("decrement", "rejected"),
    ],
)
def test_fok_counts_only_what_its_mode_lets_it_trade(book: Any, mode: str, status: str) -> None:
    (placed, *_rest) = book.buy("b", 102, 5, time_in_force="fok", self_trade_prevention=mode)
    assert placed.status == status


def test_fok_that_passes_its_own_by_counts_it_for_nothing(book: Any) -> None:
    assert book.buy("b", 102, 7, time_in_force="fok", self_trade_prevention="cancel_resting") == (
        OrderPlaced("b", "rejected", 7, 7, 0, reasons.FILL_OR_KILL_UNFILLED),
    )


def test_fok_that_is_full_before_its_own_leaves_it_alone(book: Any) -> None:
    assert book.buy("b", 102, 2, time_in_force="fok", self_trade_prevention="cancel_both") == (
        OrderPlaced("b", "filled", 2, 0, 200, reasons.NONE),
        TradeExecuted(1, BTC, 100, 2, "buy", "b", "near", "ann", "bob", 2, 0),
        LevelChanged(BTC, "sell", 100, 0, 0),
    )


def test_prevented_trades_count_towards_the_cap(book: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "FILLS_MAX", 2)
    (placed, *_rest) = book.buy("b", 102, 9, self_trade_prevention="cancel_resting")
    assert placed == OrderPlaced("b", "cancelled", 9, 7, 200, reasons.TOO_MANY_FILLS)


def test_prevented_trades_count_towards_the_cap_of_a_fok_order(
    book: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "FILLS_MAX", 2)
    assert book.buy("b", 102, 4, time_in_force="fok", self_trade_prevention="cancel_resting") == (
        OrderPlaced("b", "rejected", 4, 4, 0, reasons.FILL_OR_KILL_UNFILLED),
    )
