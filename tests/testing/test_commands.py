"""A seed is a stream of commands, the same ever again, that reaches every answer there is."""

from itertools import islice, pairwise

import pytest

from tradeclear.model import reasons
from tradeclear.model.commands import Configure
from tradeclear.model.order import OrderState
from tradeclear.testing.commands import CANCELS_MAX, FILLS_MAX, QUOTED_ORDERS_MAX, commands
from tradeclear.testing.reference import Outcome, ReferenceExchange, ReferenceTrade

COMMANDS = 20_000


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """The oracle's answers to three streams."""
    answers = []
    for seed in (1, 2, 3):
        exchange = ReferenceExchange(FILLS_MAX, CANCELS_MAX, QUOTED_ORDERS_MAX)
        for seq, (now, command) in enumerate(islice(commands(seed), COMMANDS), start=1):
            answers.append(exchange.apply(seq, now, command))
    return answers


def test_same_seed_gives_the_same_stream() -> None:
    assert list(islice(commands(7), 3_000)) == list(islice(commands(7), 3_000))


def test_another_seed_gives_another_stream() -> None:
    assert list(islice(commands(7), 10)) != list(islice(commands(8), 10))


def test_stream_begins_by_configuring() -> None:
    _now, first = next(commands(7))
    assert isinstance(first, Configure)


def test_time_never_runs_backwards() -> None:
    times = [now for now, _command in islice(commands(7), 3_000)]
    assert all(before <= after for before, after in pairwise(times))


def test_every_reason_is_reached(outcomes: list[Outcome]) -> None:
    reached = {outcome.refused for outcome in outcomes}
    reached |= {outcome.order.reason for outcome in outcomes if outcome.order is not None}
    assert reached == set(reasons.NAMES)


def test_every_status_is_reached(outcomes: list[Outcome]) -> None:
    reached = {outcome.order.status for outcome in outcomes if outcome.order is not None}
    assert reached == {"open", "partially_filled", "filled", "cancelled", "rejected"}


def test_resting_orders_are_traded_cancelled_and_decremented(outcomes: list[Outcome]) -> None:
    reached = {
        "trade" if isinstance(event, ReferenceTrade) else event.status
        for outcome in outcomes
        for event in outcome.happened
        if isinstance(event, ReferenceTrade) or event.reason or event.status != "cancelled"
    }
    assert reached == {"trade", "cancelled", "open", "partially_filled", "filled"}


def test_every_mode_of_self_trade_prevention_closes_something(outcomes: list[Outcome]) -> None:
    stopped = [
        order
        for outcome in outcomes
        for order in (outcome.order, *outcome.happened)
        if isinstance(order, OrderState) and order.reason == reasons.SELF_TRADE_PREVENTED
    ]
    # What rests is closed by the other order's mode; "none" can be the mode of what rests only.
    assert {order.self_trade_prevention for order in stopped} == {
        "none",
        "cancel_incoming",
        "cancel_resting",
        "cancel_both",
        "decrement",
    }


def test_caps_and_windows_are_reached(outcomes: list[Outcome]) -> None:
    most = max(len(outcome.happened) for outcome in outcomes if outcome.order is not None)
    left = any(outcome.remaining for outcome in outcomes)
    forgotten = any(outcome.forgotten for outcome in outcomes)
    assert (most, left, forgotten) == (FILLS_MAX, True, True)
