"""A quote brings what a client has resting to what it names: less first, then what is missing."""

from typing import Any

import pytest

from tradeclear.core import engine as core
from tradeclear.core import quoting
from tradeclear.core.state import dump, load, state_hash
from tradeclear.model import reasons
from tradeclear.model.commands import Quote
from tradeclear.model.events import (
    CommandRefused,
    LevelChanged,
    OrderAmended,
    OrderCancelled,
    OrderEntered,
    Quoted,
    TradeExecuted,
)

BTC = "BTC-USD"
HOUSE = "house"

Levels = tuple[tuple[int, int], ...]


def quote(exchange: Any, bids: Levels = (), asks: Levels = (), client: str = HOUSE) -> Any:
    return exchange.apply(Quote(client, BTC, bids, asks))


def resting(exchange: Any, side: str) -> list[tuple[int, int, int]]:
    """Price, quantity and orders of one side's levels, best first."""
    levels = exchange.engine.books[BTC].side(side).best_first()
    return [(level.price, level.quantity, len(level.queue)) for level in levels]


def kinds(events: Any) -> list[str]:
    return [type(event).__name__ for event in events]


def test_new_levels_come_in_as_orders_of_the_client(exchange: Any) -> None:
    events = quote(exchange, bids=((100, 5), (99, 7)), asks=((102, 3),))
    ids = [event.order.order_id for event in events if isinstance(event, OrderEntered)]
    assert ids == ["house:2:000", "house:2:001", "house:2:002"]
    assert events[0] == Quoted(HOUSE, entered=3)
    assert events[-3:] == (
        LevelChanged(BTC, "buy", 100, 5, 1),
        LevelChanged(BTC, "buy", 99, 7, 1),
        LevelChanged(BTC, "sell", 102, 3, 1),
    )
    assert exchange.engine.orders.by_id["house:2:000"].closed is False


def test_more_is_a_new_order_behind_everyone(exchange: Any) -> None:
    quote(exchange, bids=((100, 5),))
    exchange.buy("mine", 100, 4)
    quote(exchange, bids=((100, 8),))
    queue = exchange.engine.books[BTC].bids.level(100).queue.values()
    assert [(order.order_id, order.remaining) for order in queue] == [
        ("house:2:000", 5),
        ("mine", 4),
        ("house:4:000", 3),
    ]


def test_less_takes_the_youngest_first_and_keeps_the_place(exchange: Any) -> None:
    quote(exchange, bids=((100, 5),))
    quote(exchange, bids=((100, 8),))
    events = quote(exchange, bids=((100, 2),))
    assert events[0] == Quoted(HOUSE, lowered=1, cancelled=1)
    assert kinds(events[1:]) == ["OrderCancelled", "OrderAmended", "LevelChanged"]
    assert isinstance(events[1], OrderCancelled)
    assert isinstance(events[2], OrderAmended)
    assert events[1].order.order_id == "house:3:000"
    assert events[2].order.remaining_quantity == 2
    assert events[3] == LevelChanged(BTC, "buy", 100, 2, 1)


def test_nothing_clears_the_level_and_spares_others_orders(exchange: Any) -> None:
    quote(exchange, asks=((102, 3), (103, 4)))
    exchange.sell("mine", 102, 9)
    events = quote(exchange, asks=((102, 0),))
    assert events[-1] == LevelChanged(BTC, "sell", 102, 9, 1)
    assert resting(exchange, "sell") == [(102, 9, 1), (103, 4, 1)]


def test_the_same_again_changes_nothing(exchange: Any) -> None:
    quote(exchange, bids=((100, 5),), asks=((102, 3),))
    before = [resting(exchange, side) for side in ("buy", "sell")]
    assert quote(exchange, bids=((100, 5),), asks=((102, 3),)) == (Quoted(HOUSE),)
    assert [resting(exchange, side) for side in ("buy", "sell")] == before


def test_a_quote_that_crosses_trades_with_others(exchange: Any) -> None:
    exchange.sell("mine", 101, 4)
    events = quote(exchange, bids=((101, 10),))
    assert kinds(events) == [
        "Quoted", "TradeExecuted", "OrderEntered", "LevelChanged", "LevelChanged",
    ]  # fmt: skip
    assert isinstance(events[1], TradeExecuted)
    assert (events[1].maker_order_id, events[1].quantity) == ("mine", 4)
    assert resting(exchange, "buy") == [(101, 6, 1)]


def test_a_client_that_meets_itself_cancels_what_it_had(exchange: Any) -> None:
    quote(exchange, asks=((101, 4),))
    events = quote(exchange, bids=((101, 5),))
    assert kinds(events[:3]) == ["Quoted", "OrderCancelled", "OrderEntered"]
    assert resting(exchange, "sell") == []
    assert resting(exchange, "buy") == [(101, 5, 1)]


def test_the_youngest_grows_where_there_are_many(
    exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quoting, "ORDERS_MAX", 2)
    for quantity in (1, 3, 6):
        quote(exchange, bids=((100, quantity),))
    queue = exchange.engine.books[BTC].bids.level(100).queue.values()
    assert [(order.order_id, order.remaining) for order in queue] == [
        ("house:2:000", 1),
        ("house:4:000", 5),
    ]


def test_levels_beyond_the_open_orders_are_left(exchange: Any) -> None:
    exchange.limit(open_orders_max=2)
    events = quote(exchange, bids=((100, 1), (99, 1), (98, 1)))
    assert events[0] == Quoted(HOUSE, entered=2, left=1)


def test_levels_beyond_the_meetings_are_left(
    exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "FILLS_MAX", 2)
    for name in ("a", "b", "c"):
        exchange.sell(name, 101, 1)
    events = quote(exchange, bids=((101, 2), (100, 5)))
    assert events[0] == Quoted(HOUSE, entered=1, left=1)
    assert resting(exchange, "sell") == [(101, 1, 1)]


def test_an_id_that_somebody_took_is_left(exchange: Any) -> None:
    exchange.buy("house:3:000", 50, 1)
    assert quote(exchange, bids=((100, 1),))[0] == Quoted(HOUSE, left=1)


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        (((100, 1), (100, 2)), ()),
        (((101, 1),), ((101, 1),)),
        (((0, 1),), ()),
        (((1_001, 1),), ()),
        (((100, -1),), ()),
        (((100, 100_001),), ()),
        (tuple((price, 1) for price in range(1, 52)), ()),
    ],
)
def test_what_can_not_be_is_refused_whole(exchange: Any, bids: Levels, asks: Levels) -> None:
    refused = (CommandRefused(reasons.OUTSIDE_LIMITS),)
    assert quote(exchange, bids, asks) == refused
    assert resting(exchange, "buy") == []


def test_an_unknown_instrument_is_refused(exchange: Any) -> None:
    refused = (CommandRefused(reasons.UNKNOWN_INSTRUMENT),)
    assert exchange.apply(Quote(HOUSE, "XXX-USD", ((1, 1),))) == refused


def test_orders_of_one_quote_keep_their_order_through_a_dump(exchange: Any) -> None:
    quote(exchange, bids=((90, 1), (100, 1), (95, 1)), asks=((110, 1),))
    loaded = load(dump(exchange.engine))
    for engine in (exchange.engine, loaded):
        ids = [order.order_id for order in engine.orders.open_of(HOUSE)]
        assert ids == [f"house:2:{number:03}" for number in range(4)]
        newest = [order.order_id for order in engine.orders.newest_of(HOUSE)]
        assert newest == ids[::-1]
    assert state_hash(loaded) == state_hash(exchange.engine)
