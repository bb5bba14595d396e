"""The oracle answers by the rules, as worked out by hand here."""

from typing import Any

import pytest

from tradeclear.model import reasons
from tradeclear.model.commands import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    Configure,
    Idempotency,
    Limits,
    PlaceOrder,
)
from tradeclear.model.instrument import define_instrument
from tradeclear.model.order import OrderType, Side
from tradeclear.testing.reference import Outcome, ReferenceExchange, ReferenceTrade

BTC = "BTC-USD"


class Told:
    """An oracle that is told commands one after the other."""

    def __init__(self, **caps: int) -> None:
        self.exchange = ReferenceExchange(**caps)
        self.seq = 0
        self.tell(Configure((define_instrument(BTC),), Limits()))

    def tell(self, command: Command) -> Outcome:
        self.seq += 1
        return self.exchange.apply(self.seq, self.seq, command)

    def place(
        self,
        order_id: str,
        side: Side,
        price: int,
        quantity: int,
        client: str = "ann",
        **terms: Any,
    ) -> Outcome:
        kind: OrderType = "limit" if price else "market"
        return self.tell(PlaceOrder(order_id, client, BTC, side, kind, price, quantity, **terms))


@pytest.fixture
def told() -> Told:
    """Bob asks 2 at 100 and 3 at 101."""
    told = Told()
    told.place("near", "sell", 100, 2, "bob")
    told.place("far", "sell", 101, 3, "bob")
    return told


def brief(outcome: Outcome) -> list[Any]:
    """Status, filled and reason of the order; then (maker, price, quantity) or (id, status)."""
    assert outcome.order is not None
    order = outcome.order
    return [
        (order.status, order.filled_quantity, order.reason),
        *(
            (event.maker_order_id, event.price, event.quantity)
            if isinstance(event, ReferenceTrade)
            else (event.order_id, event.status)
            for event in outcome.happened
        ),
    ]


def test_best_price_first_at_the_makers_price(told: Told) -> None:
    assert brief(told.place("b", "buy", 105, 4)) == [
        ("filled", 4, reasons.NONE),
        ("near", 100, 2),
        ("far", 101, 2),
    ]


def test_what_is_left_rests(told: Told) -> None:
    told.place("b", "buy", 100, 9)
    assert (told.exchange.levels(BTC, "buy"), told.exchange.levels(BTC, "sell")) == (
        [(100, 7, 1)],
        [(101, 3, 1)],
    )


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"price": 0}, ("partially_filled", 5, reasons.NONE)),
        ({"time_in_force": "ioc"}, ("cancelled", 2, reasons.NONE)),
        ({"time_in_force": "fok"}, ("rejected", 0, reasons.FILL_OR_KILL_UNFILLED)),
        ({"post_only": True}, ("rejected", 0, reasons.POST_ONLY_WOULD_CROSS)),
        ({"client": "bob", "self_trade_prevention": "cancel_incoming"}, ("cancelled", 0, 105)),
        ({"client": "bob", "self_trade_prevention": "cancel_resting"}, ("open", 0, 0)),
        ({"client": "bob", "self_trade_prevention": "cancel_both"}, ("cancelled", 0, 105)),
        ({"client": "bob", "self_trade_prevention": "decrement"}, ("open", 0, 0)),
        ({"client": "bob", "self_trade_prevention": "none"}, ("partially_filled", 2, 0)),
    ],
)
def test_terms_decide(told: Told, terms: dict[str, Any], expected: tuple[str, int, int]) -> None:
    outcome = told.place("b", "buy", **{"price": 100, "quantity": 9, **terms})
    assert brief(outcome)[0] == expected


def test_cap_of_fills_is_as_constructed() -> None:
    told = Told(fills_max=1)
    told.place("s", "sell", 100, 1)
    told.place("t", "sell", 100, 1)
    assert brief(told.place("b", "buy", 100, 2)) == [
        ("cancelled", 1, reasons.TOO_MANY_FILLS),
        ("s", 100, 1),
    ]


def test_cap_of_cancels_is_as_constructed() -> None:
    told = Told(cancels_max=1)
    told.place("s", "sell", 100, 1)
    told.place("t", "sell", 100, 1)
    outcome = told.tell(CancelAll("ann"))
    assert (outcome.remaining, [order.order_id for order in told.exchange.open]) == (1, ["t"])


def test_amend_loses_priority_unless_it_lowers_the_quantity_only(told: Told) -> None:
    told.place("next", "sell", 100, 2, "cyd")
    told.tell(AmendOrder("near", quantity=1))
    told.tell(AmendOrder("far", price=100))
    told.tell(AmendOrder("next", quantity=3))
    queue = [order.order_id for order in told.exchange.queue(BTC, "sell")]
    assert queue == ["near", "far", "next"]


def test_cancelled_order_is_closed(told: Told) -> None:
    told.tell(CancelOrder("near"))
    outcome = told.tell(CancelOrder("near"))
    assert outcome.refused == reasons.ORDER_CLOSED


def test_keys_are_remembered_with_their_first_use(told: Told) -> None:
    used = Idempotency(b"k", b"r")
    told.tell(CancelOrder("near", idempotency=used))
    assert (
        told.exchange.find_duplicate(used),
        told.exchange.find_duplicate(Idempotency(b"k", b"other")),
        told.exchange.find_duplicate(Idempotency(b"new", b"r")),
    ) == ((4, True), (4, False), None)
