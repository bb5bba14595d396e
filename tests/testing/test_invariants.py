"""A broken rule is found out by the very next check."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tradeclear.core.engine import Engine
from tradeclear.core.lifecycle import restore
from tradeclear.core.state import dump, load
from tradeclear.model.commands import (
    CancelOrder,
    Command,
    Configure,
    Idempotency,
    Limits,
    PlaceOrder,
)
from tradeclear.model.events import CommandRefused, OrderPlaced
from tradeclear.model.instrument import define_instrument
from tradeclear.model.order import OrderState
from tradeclear.testing.invariants import Watch

BTC = "BTC-USD"
SELL = PlaceOrder("s", "bob", BTC, "sell", "limit", 100, 5)
BUY = PlaceOrder("b", "ann", BTC, "buy", "limit", 100, 2)

SOLD = OrderState(
    "s", "bob", BTC, "sell", "limit", 100, 5, 5, 0, "gtc", False, "none", "open", 0, 0, 0, 2, 2
)

Tamper = Callable[[Any], Any]


@pytest.fixture
def watch() -> Watch:
    """Bob asks 5 at 100."""
    watch = Watch(Engine())
    apply(watch, Configure((define_instrument(BTC),), Limits()))
    apply(watch, SELL)
    return watch


def apply(watch: Watch, command: Command) -> object:
    return watch.apply(watch.engine.seq + 1, 0, command)


def tamper_with(watch: Watch, tamper: Tamper) -> None:
    """Let what the engine says pass through `tamper`."""
    honest = watch.engine.apply

    def tampered(*record: Any) -> tuple[Any, ...]:
        return tuple(tamper(list(honest(*record))))

    vars(watch.engine)["apply"] = tampered


def at(position: int, **changes: Any) -> Tamper:
    """Change fields of the event at `position`: placed 0, trade 1, level change 2."""

    def tamper(events: list[Any]) -> list[Any]:
        events[position] = replace(events[position], **changes)
        return events

    return tamper


def test_honest_engine_passes(watch: Watch) -> None:
    apply(watch, BUY)
    apply(watch, CancelOrder("s"))
    watch.check_everything()


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (lambda events: [], "no outcome"),
        (lambda events: [CommandRefused(208), *events], "refused, yet done"),
        (at(0, quantity=3), "b has grown"),
        (at(0, remaining_quantity=1), "bought=1 sold=2 traded=2"),
        (at(0, remaining_quantity=-1), "b: 0 to 3 of 2"),
        (at(0, status="open"), "b is open for nothing"),
        (at(1, trade_id=9), "trade ids have a gap"),
        (at(1, quantity=3), "bought=2 sold=2 traded=3"),
        (at(1, quantity=0), "moves nothing"),
        (at(1, maker_remaining_quantity=2), "bought=2 sold=3 traded=2"),
        (at(1, maker_remaining_quantity=6), "s: 0 to -1 of 5"),
        (lambda events: [events[0], events[2]], "trade ids have a gap"),
        (at(1, instrument="ETH-USD"), "bought=2 sold=0 traded=0"),
        (at(2, quantity=4), "but the book has"),
        (at(2, quantity=5), "tells no change"),
        (lambda events: [*events, events[2]], "told twice"),
    ],
)
def test_event_that_breaks_a_rule_is_found(watch: Watch, tamper: Tamper, words: str) -> None:
    tamper_with(watch, tamper)
    with pytest.raises(AssertionError, match=words):
        apply(watch, BUY)


def test_id_that_is_accepted_twice_is_found(watch: Watch) -> None:
    tamper_with(watch, lambda events: [OrderPlaced("s", "open", 5, 5, 0, 0)])
    with pytest.raises(AssertionError, match="accepted twice"):
        apply(watch, SELL)


@pytest.mark.parametrize(
    ("sabotage", "words"),
    [
        (lambda engine: engine.books.clear(), "don't add up to the book"),
        (lambda engine: setattr(engine.books[BTC].asks.level(100), "quantity", 6), "add up"),
        (lambda engine: setattr(engine.orders.by_id["s"], "quantity", 6), "as their events told"),
        (lambda engine: setattr(engine.orders.by_id["s"], "status", "filled"), "is closed"),
        (lambda engine: engine.orders.by_id.update(s=restore(SOLD)), "a stranger rests"),
        (lambda engine: engine.orders.by_id.update(t=restore(SOLD)), "is in no book"),
        (lambda engine: setattr(engine.orders, "open_count", 7), "counted wrong"),
    ],
)
def test_state_that_differs_from_what_was_told_is_found(
    watch: Watch, sabotage: Callable[[Engine], object], words: str
) -> None:
    sabotage(watch.engine)
    with pytest.raises(AssertionError, match=words):
        watch.check_everything()


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ("closed_orders_max", "too many closed orders"),
        ("trades_max", "too many trades"),
        ("idempotency_keys_max", "too many keys"),
        ("open_orders_max", "too many open orders"),
    ],
)
def test_bound_that_is_passed_is_found(watch: Watch, bound: str, words: str) -> None:
    apply(watch, replace(BUY, idempotency=Idempotency(bytes(16), bytes(16))))

    def lower(events: list[Any]) -> list[Any]:
        watch.engine.limits = replace(watch.engine.limits, **{bound: 0})
        return events

    tamper_with(watch, lower)
    with pytest.raises(AssertionError, match=words):
        apply(watch, PlaceOrder("c", "ann", BTC, "buy", "limit", 99, 1))


def test_watch_may_begin_with_a_full_book(watch: Watch) -> None:
    later = Watch(load(dump(watch.engine)))
    apply(later, BUY)
    later.check_everything()
    assert later.engine.orders.open_count == 1
