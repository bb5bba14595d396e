"""What the core keeps for long is invisible to Python's cyclic garbage collector."""

import gc
from collections.abc import Callable
from typing import Any

import pytest

from tradeclear.core.state import dump, load
from tradeclear.model.commands import CancelOrder, Idempotency, PlaceOrder

BTC = "BTC-USD"


def fill(exchange: Any, orders: int) -> None:
    """Rest, trade, cancel; every command has an idempotency key."""
    for number in range(orders):
        used = Idempotency(number.to_bytes(16, "big"), bytes(16))
        price = 400 + number % 100
        exchange.apply(
            PlaceOrder(f"r{number}", f"c{number % 9}", BTC, "sell", "limit", price, 2,
                       idempotency=used)
        )  # fmt: skip
    for number in range(0, orders, 5):
        exchange.apply(PlaceOrder(f"t{number}", "ann", BTC, "buy", "market", 0, 3))
        exchange.apply(CancelOrder(f"r{number}"))


@pytest.fixture(params=["as it grew", "as it was loaded"])
def engine(exchange: Any, request: pytest.FixtureRequest) -> Any:
    fill(exchange, 200)
    return exchange.engine if request.param == "as it grew" else load(dump(exchange.engine))


@pytest.mark.parametrize(
    "kept",
    [
        lambda engine: list(engine.books[BTC].asks.best_first()),
        lambda engine: [level.queue for level in engine.books[BTC].asks.best_first()],
        lambda engine: [engine.books[BTC].asks.levels],
        lambda engine: list(engine.orders.by_id.values()),
        lambda engine: [engine.orders.by_id],
        lambda engine: list(engine.orders.closed()),
        lambda engine: [engine.orders._closed],
        lambda engine: [engine.orders.clients],
        lambda engine: list(engine.orders.clients.values()),
        lambda engine: [client.orders for client in engine.orders.clients.values()],
        lambda engine: [client.open for client in engine.orders.clients.values()],
        lambda engine: list(engine.trades.values()),
        lambda engine: [engine.trades],
        lambda engine: [engine.keys._entries],
        lambda engine: [engine.keys._queue],
    ],
    ids=[
        "levels",
        "queues",
        "table of levels",
        "orders",
        "table of orders",
        "closed orders",
        "table of closed orders",
        "table of clients",
        "clients",
        "clients' closed orders",
        "clients' open orders",
        "trades",
        "table of trades",
        "table of keys",
        "queue of keys",
    ],
)
def test_what_is_kept_is_not_tracked(engine: Any, kept: Callable[[Any], list[object]]) -> None:
    things = kept(engine)
    assert (len(things) > 0, [thing for thing in things if gc.is_tracked(thing)]) == (True, [])


def test_number_of_tracked_objects_does_not_grow_with_the_state(exchange: Any) -> None:
    fill(exchange, 10)
    gc.collect()
    before = len(gc.get_objects())
    for number in range(2_000):
        exchange.sell(f"more{number}", 500 + number % 400, 2, client=f"c{number % 300}")
        exchange.buy(f"taken{number}", 0, 1, client="ann")
    gc.collect()
    assert len(gc.get_objects()) - before < 20
