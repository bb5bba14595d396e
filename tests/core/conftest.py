"""An engine with short words for its commands."""

from collections.abc import Callable
from typing import Any

import pytest

from tradeclear.core.engine import Engine, Events
from tradeclear.model.commands import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    Configure,
    Limits,
    PlaceOrder,
)
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import OrderState, Side
from tradeclear.model.units import Lots, Micros, Ticks

BTC = "BTC-USD"
ETH = "ETH-USD"


def grid(name: str, **changes: Any) -> Instrument:
    """An instrument with a wide grid: a tick of 0.01, a lot of 0.00001, 1,000 ticks at most."""
    terms: dict[str, Any] = {
        "price_scale": 2,
        "price_step": 1,
        "quantity_scale": 5,
        "quantity_step": 1,
        "price_ticks_max": 1_000,
        "quantity_lots_min": 1,
        "quantity_lots_max": 100_000,
    }
    return Instrument(name=name, **(terms | changes))


class Exchange:
    """An engine, configured with BTC-USD and ETH-USD as record 1 at time 1; each record one later.

    Orders are ann's, good till cancelled limit orders on BTC-USD, unless said otherwise.
    """

    def __init__(self) -> None:
        self.engine = Engine()
        self.configure(grid(BTC), grid(ETH))

    def apply(self, command: Command, *, later: Micros = 1) -> Events:
        return self.engine.apply(self.engine.seq + 1, self.engine.time + later, command)

    def configure(self, *instruments: Instrument, **limits: int) -> Events:
        return self.apply(Configure(instruments, Limits(**limits)))

    def limit(self, **limits: int) -> Events:
        """Configure other limits, the same instruments."""
        return self.configure(*self.engine.instruments.values(), **limits)

    def place(
        self,
        order_id: str,
        side: Side,
        price: Ticks,
        quantity: Lots,
        *,
        client: str = "ann",
        on: str = BTC,
        **terms: Any,
    ) -> Events:
        """Price 0 is a market order."""
        kind = "limit" if price else "market"
        terms = {"type": kind, **terms}
        return self.apply(
            PlaceOrder(order_id, client, on, side, price=price, quantity=quantity, **terms)
        )

    def buy(self, order_id: str, price: Ticks, quantity: Lots, **terms: Any) -> Events:
        return self.place(order_id, "buy", price, quantity, **terms)

    def sell(self, order_id: str, price: Ticks, quantity: Lots, **terms: Any) -> Events:
        return self.place(order_id, "sell", price, quantity, **terms)

    def cancel(self, order_id: str, *, client: str | None = None) -> Events:
        return self.apply(CancelOrder(order_id, client))

    def amend(
        self, order_id: str, *, price: Ticks = 0, quantity: Lots = 0, client: str | None = None
    ) -> Events:
        return self.apply(AmendOrder(order_id, price, quantity, client))

    def cancel_all(self, client: str, *, on: str | None = None) -> Events:
        return self.apply(CancelAll(client, on))

    def state(self, order_id: str) -> OrderState:
        return self.engine.orders.by_id[order_id].state()

    def queue(self, side: Side, on: str = BTC) -> list[tuple[str, Ticks, Lots]]:
        """One side's orders in the order in which they would trade: (id, price, remaining)."""
        return [
            (order.order_id, order.price, order.remaining)
            for level in self.engine.books[on].side(side).best_first()
            for order in level.queue.values()
        ]


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def instrument() -> Callable[..., Instrument]:
    return grid
