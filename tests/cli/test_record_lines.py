"""A record for people is one line: seq, time, what was asked, what came of it."""

import pytest
from msgspec import Struct

from tradeclear.cli.grids import Grids
from tradeclear.cli.record_lines import text_line
from tradeclear.model import reasons
from tradeclear.model.commands import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    Configure,
    Limits,
    PlaceOrder,
    Quote,
)
from tradeclear.model.events import (
    CommandRefused,
    Configured,
    Event,
    LevelChanged,
    OrderAmended,
    OrderCancelled,
    OrderPlaced,
    OrdersCancelled,
    Quoted,
    Record,
    TradeExecuted,
)
from tradeclear.model.instrument import define_instrument
from tradeclear.model.order import OrderState

BTC, ETH = define_instrument("BTC-USD"), define_instrument("ETH-USD", tick_size="0.1")
KNOWN = Grids((BTC, ETH))
NOW = 1_700_000_000_123_456
STATE = OrderState(
    "o1", "ann", "BTC-USD", "buy", "limit", 7_015_050, 25_000, 10_000, 0, "gtc", False, "none",
    "cancelled", reasons.NONE, NOW, NOW, 1, 2,
)  # fmt: skip
PLACE = PlaceOrder("o1", "ann", "BTC-USD", "buy", "limit", 7_015_050, 25_000)


def line(command: Command, *events: Event, grids: Grids = KNOWN) -> str:
    start = "       7 2023-11-14T22:13:20.123456Z "
    text = text_line(Record(7, NOW, command, events), grids)
    assert text.startswith(start)
    assert "\n" not in text
    return text.removeprefix(start)


def test_an_order_that_trades_and_rests() -> None:
    text = line(
        PLACE,
        OrderPlaced("o1", "partially_filled", 25_000, 10_000, 0, reasons.NONE),
        TradeExecuted(3, "BTC-USD", 7_015_000, 15_000, "buy", "o1", "m1", "ann", "bob", 9, 5_000),
        LevelChanged("BTC-USD", "sell", 7_015_000, 5_000, 1),
        LevelChanged("BTC-USD", "buy", 7_015_050, 10_000, 1),
    )
    assert text == (
        "place buy 0.25 BTC-USD at 70150.5 gtc order=o1 client=ann -> partially_filled, 0.1 left; "
        "trade 3: 0.15 at 70150 with m1 of bob, 0.05 left there; "
        "sell level 70150 0.05 in 1; buy level 70150.5 0.1 in 1"
    )


def test_terms_are_told_where_they_are_not_the_usual_ones() -> None:
    market = PlaceOrder(
        "o1", "ann", "BTC-USD", "sell", "market", 0, 25_000, "ioc", True, "decrement"
    )
    placed = OrderPlaced("o1", "rejected", 25_000, 25_000, 0, reasons.NO_LIQUIDITY)
    assert line(market, placed) == (
        "place sell 0.25 BTC-USD at market ioc post_only stp=decrement order=o1 client=ann -> "
        "rejected, 0.25 left (no_liquidity)"
    )


@pytest.mark.parametrize(
    ("command", "events", "text"),
    [
        (
            CancelOrder("o1", "ann"),
            [OrderCancelled(STATE), LevelChanged("BTC-USD", "buy", 7_015_050, 0, 0)],
            "cancel order=o1 client=ann -> cancelled o1 of ann: buy 0.25 BTC-USD at 70150.5, "
            "0.1 left; buy level 70150.5 gone",
        ),
        (
            CancelOrder("o9"),
            [CommandRefused(reasons.UNKNOWN_ORDER)],
            "cancel order=o9 -> refused, unknown_order",
        ),
        (
            AmendOrder("o1", price=7_000_000, quantity=30_000),
            [OrderAmended(STATE)],
            "amend order=o1 price=70000 quantity=0.3 -> amended o1 of ann: buy 0.25 BTC-USD at "
            "70150.5, 0.1 left, cancelled",
        ),
        (
            AmendOrder("o1"),
            [CommandRefused(reasons.ORDER_CLOSED, STATE)],
            "amend order=o1 -> refused, order_closed: o1 of ann: buy 0.25 BTC-USD at 70150.5, "
            "0.1 left, cancelled",
        ),
        (
            CancelAll("ann"),
            [
                OrdersCancelled("ann", 1, 2),
                OrderCancelled(STATE),
                LevelChanged("BTC-USD", "buy", 100, 0, 0),
                LevelChanged("ETH-USD", "buy", 100, 7, 2),
            ],
            "cancel-all on every instrument client=ann -> 1 cancelled, 2 still open; cancelled o1 "
            "of ann: buy 0.25 BTC-USD at 70150.5, 0.1 left; buy level 1 gone; "
            "ETH-USD buy level 10 0.00007 in 2",
        ),
        (
            Configure((BTC, ETH), Limits()),
            [Configured(3)],
            "configure BTC-USD tick 0.01 lot 0.00001, ETH-USD tick 0.1 lot 0.00001; "
            "engine 1 codec 1 -> configured, 3 orders forgotten",
        ),
    ],
)
def test_other_commands(command: Command, events: list[Event], text: str) -> None:
    assert line(command, *events) == text


def test_where_no_instrument_is_known_counts_say_so() -> None:
    text = line(PLACE, OrderPlaced("o1", "open", 25_000, 25_000, 0, 0), grids=Grids())
    assert text.startswith("place buy 25000_lots BTC-USD at 7015050_ticks gtc ")
    assert text.endswith("-> open, 25000_lots left")


@pytest.mark.parametrize(
    ("client_id", "shown"),
    [("a b", '"a b"'), ("a\nb", '"a\\nb"'), ("\x1b[2J", '"\\u001b[2J"'), ("", '""'), ("é", "é")],
)
def test_an_id_can_not_pass_for_something_else(client_id: str, shown: str) -> None:
    assert f"client={shown} ->" in line(CancelAll(client_id))


def test_a_quote_names_its_levels_and_what_became_of_them() -> None:
    quote = Quote("house", "BTC-USD", ((7_015_050, 25_000),), ((7_015_060, 0),))
    assert line(quote, Quoted("house", entered=1, left=2)) == (
        "quote BTC-USD buy 0.25 at 70150.5, sell 0 at 70150.6 client=house -> "
        "1 entered, 0 lowered, 0 cancelled, 2 levels left"
    )


class Settled(Struct, frozen=True, array_like=True, tag_field="event", tag=99):
    """An event of a later day."""

    instrument: str
    price: int
    reason: int


def test_what_has_no_words_is_shown_by_its_fields() -> None:
    later: Event = Settled("BTC-USD", 7_015_050, 101)  # type: ignore[assignment]
    assert line(CancelAll("ann", "BTC-USD"), later) == (
        "cancel-all on BTC-USD client=ann -> "
        'Settled instrument="BTC-USD" price=70150.5 reason="no_liquidity"'
    )
