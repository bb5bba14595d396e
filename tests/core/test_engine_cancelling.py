"""A cancel closes an open order once; cancel-all a client's, oldest first, so many at most."""

from typing import Any

import pytest
from msgspec.structs import replace

from tradeclear.core import engine as core
from tradeclear.model import reasons
from tradeclear.model.events import (
    CommandRefused,
    LevelChanged,
    OrderCancelled,
    OrdersCancelled,
)

BTC = "BTC-USD"
ETH = "ETH-USD"


def cancelled(state: Any, seq: int) -> OrderCancelled:
    """The event of an order's cancel by record `seq`, at time `seq`."""
    return OrderCancelled(replace(state, status="cancelled", updated_at=seq, updated_sequence=seq))


def test_cancel_closes_the_order_and_tells_its_level(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    exchange.buy("c", 100, 7)
    before = exchange.state("b")
    assert exchange.cancel("b") == (
        cancelled(before, 4),
        LevelChanged(BTC, "buy", 100, 7, 1),
    )


def test_cancelled_order_keeps_what_it_had_filled(exchange: Any) -> None:
    exchange.sell("s", 100, 5)
    exchange.buy("b", 100, 2)
    before = exchange.state("s")
    assert exchange.cancel("s") == (cancelled(before, 4), LevelChanged(BTC, "sell", 100, 0, 0))


def test_cancel_of_an_unknown_order_is_refused(exchange: Any) -> None:
    assert exchange.cancel("b") == (CommandRefused(reasons.UNKNOWN_ORDER),)


def test_cancel_of_a_closed_order_is_refused_with_its_state(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    exchange.cancel("b")
    closed = exchange.state("b")
    assert exchange.cancel("b") == (CommandRefused(reasons.ORDER_CLOSED, closed),)


def test_cancel_of_a_partially_filled_market_order_is_refused(exchange: Any) -> None:
    exchange.sell("s", 100, 1)
    exchange.buy("m", 0, 5)
    closed = exchange.state("m")
    assert exchange.cancel("m") == (CommandRefused(reasons.ORDER_CLOSED, closed),)


def test_somebody_elses_order_is_unknown(exchange: Any) -> None:
    exchange.buy("b", 100, 5, client="ann")
    assert exchange.cancel("b", client="bob") == (CommandRefused(reasons.UNKNOWN_ORDER),)


def test_somebody_elses_closed_order_is_unknown_too(exchange: Any) -> None:
    exchange.buy("b", 0, 5, client="ann")
    assert exchange.cancel("b", client="bob") == (CommandRefused(reasons.UNKNOWN_ORDER),)


def test_ones_own_order_is_cancelled_by_name(exchange: Any) -> None:
    exchange.buy("b", 100, 5, client="ann")
    before = exchange.state("b")
    assert exchange.cancel("b", client="ann") == (
        cancelled(before, 3),
        LevelChanged(BTC, "buy", 100, 0, 0),
    )


def test_order_that_aged_out_is_unknown(exchange: Any) -> None:
    exchange.limit(closed_orders_max=1)
    exchange.buy("old", 0, 5)
    exchange.buy("new", 0, 5)
    assert exchange.cancel("old") == (CommandRefused(reasons.UNKNOWN_ORDER),)


def test_cancel_all_closes_every_order_of_one_client(exchange: Any) -> None:
    exchange.buy("b", 100, 5, client="ann")
    exchange.sell("s", 200, 6, client="ann", on=ETH)
    exchange.buy("other", 100, 7, client="bob")
    first, second = exchange.state("b"), exchange.state("s")
    assert exchange.cancel_all("ann") == (
        OrdersCancelled("ann", 2, 0),
        cancelled(first, 5),
        cancelled(second, 5),
        LevelChanged(BTC, "buy", 100, 7, 1),
        LevelChanged(ETH, "sell", 200, 0, 0),
    )


def test_cancel_all_on_one_instrument_leaves_the_others(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    exchange.buy("e", 100, 5, on=ETH)
    before = exchange.state("e")
    assert exchange.cancel_all("ann", on=ETH) == (
        OrdersCancelled("ann", 1, 0),
        cancelled(before, 4),
        LevelChanged(ETH, "buy", 100, 0, 0),
    )


def test_cancel_all_tells_each_level_once(exchange: Any) -> None:
    exchange.buy("b", 100, 5)
    exchange.buy("c", 100, 6)
    events = exchange.cancel_all("ann")
    levels = [event for event in events if isinstance(event, LevelChanged)]
    assert levels == [LevelChanged(BTC, "buy", 100, 0, 0)]


def test_cancel_all_without_orders_closes_none(exchange: Any) -> None:
    assert exchange.cancel_all("ann") == (OrdersCancelled("ann", 0, 0),)


def test_cancel_all_on_an_unknown_instrument_is_refused(exchange: Any) -> None:
    assert exchange.cancel_all("ann", on="XXX-USD") == (CommandRefused(reasons.UNKNOWN_INSTRUMENT),)


def test_cancel_all_closes_the_oldest_and_tells_how_many_remain(
    exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "CANCELS_MAX", 2)
    for number in range(3):
        exchange.buy(f"b{number}", 100 + number, 1)
    exchange.amend("b0", quantity=9)  # to the back of its queue, but still the oldest order
    told, *happened = exchange.cancel_all("ann")
    closed = [event.order.order_id for event in happened if isinstance(event, OrderCancelled)]
    assert (told, closed) == (OrdersCancelled("ann", 2, 1), ["b0", "b1"])


def test_cancel_all_closes_ten_thousand_at_most(exchange: Any) -> None:
    for number in range(10_003):
        exchange.buy(f"b{number}", 100, 1)
    assert exchange.cancel_all("ann")[0] == OrdersCancelled("ann", 10_000, 3)
