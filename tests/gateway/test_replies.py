"""The rule: a reply is made from its record alone, whatever the matcher decided."""

import json

import pytest

from tradeclear.gateway.replies import answer
from tradeclear.model import reasons
from tradeclear.model.commands import AmendOrder, CancelAll, CancelOrder, Command, PlaceOrder
from tradeclear.model.events import CommandRefused, OrderCancelled, OrdersCancelled, Record
from tradeclear.model.instrument import Instrument, define_instrument
from tradeclear.model.order import OrderState
from tradeclear.pipeline.outcome import Outcome

BTC = define_instrument("BTC-USD")
STATE = OrderState(
    "o", "A", "BTC-USD", "buy", "limit", 100, 5, 5, 0, "gtc", False, "none", "cancelled", 0, 1, 2,
    1, 2,
)  # fmt: skip
COMMANDS: list[Command] = [
    PlaceOrder("o", "A", "BTC-USD", "buy", "limit", 100, 5),
    CancelOrder("o"),
    AmendOrder("o", price=100),
    CancelAll("A", "BTC-USD"),
]


class One:
    """A single instrument."""

    def instrument(self, name: str) -> Instrument | None:
        return BTC if name == "BTC-USD" else None

    def instruments(self) -> tuple[Instrument, ...]:
        return (BTC,)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "reason",
    [
        number
        for number in reasons.NAMES
        if 200 < number < 300 and number != reasons.CONFIGURATION_REFUSED
    ],
)
def test_every_refusal_of_the_matcher_has_its_problem(command: Command, reason: int) -> None:
    record = Record(7, 1, command, (CommandRefused(reason, STATE),))
    reply = answer(Outcome(record), One())
    told = json.loads(reply.body)
    assert (told["code"], told["status"]) == (reason, reply.status)
    assert told["name"] == reasons.NAMES[reason]
    assert told["order"]["order_id"] == "o"
    assert "{" not in told["detail"]


@pytest.mark.parametrize("replayed", [False, True])
def test_a_replay_differs_in_its_header_alone(replayed: bool) -> None:
    events = (OrdersCancelled("A", 1, 3), OrderCancelled(STATE))
    record = Record(7, 1, CancelAll("A"), events)
    reply = answer(Outcome(record, replayed), One())
    assert reply.headers == ((("Idempotency-Replayed", "true"),) if replayed else ())
    assert json.loads(reply.body) == {
        "client_id": "A",
        "instrument": None,
        "cancelled": 1,
        "remaining": 3,
        "order_ids": ["o"],
    }
