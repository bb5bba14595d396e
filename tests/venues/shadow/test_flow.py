"""The rule: each trade of the venue becomes one IOC order, or is counted as one that did not."""

from collections.abc import Callable
from typing import Any, cast

from tradeclear.model.commands import PlaceOrder
from tradeclear.model.errors import Overloaded, Stopping
from tradeclear.model.instrument import define_instrument
from tradeclear.telemetry.metrics import Metrics
from tradeclear.venues.messages import Trade, read_level
from tradeclear.venues.shadow.flow import ORDERS_MAX, Flow
from tradeclear.venues.shadow.grid import Grid

BTC = "BTC-USD"


class Taker:
    """Takes commands, or raises; answers when it is told to."""

    def __init__(self) -> None:
        self.commands: list[PlaceOrder] = []
        self.replies: list[Callable[[None], None]] = []
        self.problem: Exception | None = None

    def submit_nowait(self, command: PlaceOrder, reply: Callable[[None], None]) -> None:
        if self.problem is not None:
            raise self.problem
        self.commands.append(command)
        self.replies.append(reply)


class Rig:
    def __init__(self, **terms: Any) -> None:
        self.taker = Taker()
        self.metrics = Metrics()
        grid = Grid(define_instrument(BTC, **terms))
        self.flow = Flow(cast(Any, self.taker), grid, "trades", self.metrics)

    def trade(self, text: str, *, sold: bool = False) -> None:
        price, quantity = read_level(*text.split())
        self.flow.take_trade(Trade(1, price, quantity, 0, sold))


def test_the_order_goes_in_the_takers_direction() -> None:
    rig = Rig()
    rig.flow.open(7)
    rig.trade("100.5 0.25")
    rig.trade("100.4 0.5", sold=True)
    assert rig.taker.commands == [
        PlaceOrder("trades:7:1", "trades", BTC, "buy", "limit", 10_050, 25_000, "ioc"),
        PlaceOrder("trades:7:2", "trades", BTC, "sell", "limit", 10_040, 50_000, "ioc"),
    ]
    assert rig.flow.traded == {("sell", 10_050): 25_000, ("buy", 10_040): 50_000}
    assert rig.metrics.shadow_trades == {"sent": 2}


def test_its_limit_reaches_what_is_rounded_away_from_the_middle() -> None:
    rig = Rig(tick_size="1")
    rig.flow.open(1)
    rig.trade("100.5 1")
    rig.trade("100.5 1", sold=True)
    assert [order.price for order in rig.taker.commands] == [101, 100]


def test_a_diff_has_what_was_traded_before_it() -> None:
    rig = Rig()
    rig.flow.open(1)
    rig.trade("100 1")
    rig.trade("100 2")
    assert rig.flow.traded == {("sell", 10_000): 300_000}
    rig.flow.take_diff()
    assert rig.flow.traded == {}


def test_before_it_is_open_nothing_is_sent() -> None:
    rig = Rig()
    rig.trade("100 1")
    rig.flow.open(1)
    rig.flow.close()
    rig.trade("100 1")
    assert rig.taker.commands == []
    assert rig.metrics.shadow_trades == {"closed": 2}


def test_ids_are_new_with_every_opening() -> None:
    rig = Rig()
    for seq in (3, 9):
        rig.flow.open(seq)
        rig.trade("100 1")
    assert [order.order_id for order in rig.taker.commands] == ["trades:3:1", "trades:9:1"]


def test_too_small_for_an_order_here() -> None:
    rig = Rig(quantity_min="0.01")
    rig.flow.open(1)
    rig.trade("100 0.009")
    assert rig.metrics.shadow_trades == {"outside_limits": 1}


def test_so_many_wait_and_the_rest_is_dropped_and_counted() -> None:
    rig = Rig()
    rig.flow.open(1)
    for _ in range(ORDERS_MAX + 5):
        rig.trade("100 1")
    assert rig.metrics.shadow_trades == {"sent": ORDERS_MAX, "dropped": 5}
    rig.taker.replies[0](None)
    rig.trade("100 1")
    assert rig.metrics.shadow_trades["sent"] == ORDERS_MAX + 1
    assert rig.flow.waiting == ORDERS_MAX


def test_an_exchange_that_takes_nothing() -> None:
    rig = Rig()
    rig.flow.open(1)
    rig.taker.problem = Overloaded()
    rig.trade("100 1")
    rig.taker.problem = Stopping("bye")
    rig.trade("100 1")
    assert rig.metrics.shadow_trades == {"dropped": 1, "closed": 1}
    assert rig.flow.waiting == 0
