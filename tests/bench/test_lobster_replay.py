"""The rule: fed a real hour of order flow, the core finds the makers that the market found.

The replay is the one that `bench/lobster_replay.py` drives through the API, here against the engine
itself.
"""

import sys
from pathlib import Path
from typing import Any

import pytest

from tradeclear.core.engine import Engine
from tradeclear.model.commands import (
    AmendOrder,
    CancelOrder,
    Command,
    Configure,
    Limits,
    PlaceOrder,
)
from tradeclear.model.events import (
    Event,
    OrderAmended,
    OrderCancelled,
    OrderPlaced,
    TradeExecuted,
)
from tradeclear.model.instrument import define_instrument

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from lobster.record import Best, read_hour
from lobster.replay import Replay
from lobster.requests import Amend, Cancel, Fill, Look, Place
from lobster_replay import AGGRESSORS_EXACT_MIN, BEST_EQUAL_MIN


class EngineExchange:
    """Answers the replay's requests from an engine.

    `forgetful` plants a bug: a reduced order goes to the back of its queue.
    """

    def __init__(self, forgetful: bool = False) -> None:
        self.forgetful = forgetful
        self.engine = Engine()
        instrument = define_instrument(
            "AAPL", tick_size="0.01", lot_size="1", price_max="100000", quantity_max="1000000"
        )
        self._apply(Configure((instrument,), Limits()))

    def _apply(self, command: Command) -> tuple[Event, ...]:
        return self.engine.apply(self.engine.seq + 1, self.engine.seq, command)

    def answer(self, request: Any) -> Any:
        match request:
            case Look():
                return self.best()
            case Place(order_id, side, price, quantity):
                placed, *rest = self._apply(
                    PlaceOrder(order_id, "lobster", "AAPL", side, "limit", price, quantity)
                )
                assert isinstance(placed, OrderPlaced), placed
                return [
                    Fill(event.maker_order_id, event.price, event.quantity)
                    for event in rest
                    if isinstance(event, TradeExecuted)
                ]
            case Cancel(order_id):
                assert isinstance(self._apply(CancelOrder(order_id))[0], OrderCancelled)
                return []
            case Amend(order_id, quantity):
                if self.forgetful:
                    self._apply(AmendOrder(order_id, quantity=quantity + 1_000))
                events = self._apply(AmendOrder(order_id, quantity=quantity))
                assert isinstance(events[0], OrderAmended)
                return []

    def best(self) -> Any:
        book = self.engine.books["AAPL"]
        ask, bid = next(book.asks.best_first()), next(book.bids.best_first())
        return Best(ask.price, ask.quantity, bid.price, bid.quantity)

    def levels(self, side: str) -> list[tuple[int, int]]:
        ladder = self.engine.books["AAPL"].side("buy" if side == "buy" else "sell")
        return [(level.price, level.quantity) for level in ladder.best_first()]


def run(replay: Any, exchange: EngineExchange) -> None:
    steps = replay.steps()
    request = next(steps)
    try:
        while True:
            request = steps.send(exchange.answer(request))
    except StopIteration:
        return


@pytest.fixture(scope="module")
def hour(shared_data: Path) -> Any:
    return read_hour(shared_data)


def test_whole_hour(hour: Any) -> None:
    replay, exchange = Replay(hour), EngineExchange()
    run(replay, exchange)
    figures = replay.figures
    assert (figures.aggressors, figures.rows) == (3_323, 91_997 - 744 - 1)
    assert figures.exact >= AGGRESSORS_EXACT_MIN
    assert figures.exact + figures.same_price_and_size == figures.aggressors
    assert figures.best_equal >= BEST_EQUAL_MIN
    assert (figures.anonymous + figures.skipped, figures.skipped) == (72, 45)
    for side in ("buy", "sell"):
        assert replay.levels(side) == exchange.levels(side)


def test_lost_priority_is_noticed(hour: Any) -> None:
    replay = Replay(hour)
    run(replay, EngineExchange(forgetful=True))
    assert replay.figures.exact < AGGRESSORS_EXACT_MIN


def test_replay_of_some_rows_stops_there(hour: Any) -> None:
    replay = Replay(hour, rows_max=1_000)
    run(replay, EngineExchange())
    grouped = sum(1 for row in range(2, 1_000) if grouped_with_next(hour.messages, row - 1))
    assert replay.figures.rows == 1_000 - 1 - grouped
    assert replay.figures.best_equal == replay.figures.rows


def grouped_with_next(messages: Any, row: int) -> bool:
    one, two = messages[row], messages[row + 1]
    return (one.kind, one.time, one.side) == (4, two.time, two.side) and two.kind == 4
