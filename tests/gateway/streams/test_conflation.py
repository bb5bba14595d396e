"""The rule: of every level that changed, its newest total, chained like any update."""

import json
from typing import Any

from tradeclear.gateway.streams.conflation import Conflation
from tradeclear.gateway.streams.topic import Topic
from tradeclear.model.commands import CancelOrder

TOPIC = Topic("orderbook_deltas", "BTC-USD", "", 100)


def test_the_newest_totals(desk: Any, place: Any) -> None:
    conflation, chain = Conflation(TOPIC), {TOPIC: 1}
    for command in (
        place("1", 100, 5),
        place("2", 100, 5),
        place("3", 200, 5, side="sell"),
        CancelOrder("3"),
        place("4", 300, 5, instrument="ETH-USD"),
    ):
        conflation.take(desk.carry_out(command))
    message = conflation.tell(chain, desk.instrument("BTC-USD"))
    assert message is not None
    told = json.loads(message.text)
    assert (told["sequence"], told["previous_sequence"], told["interval_ms"]) == (5, 1, 100)
    assert (told["bids"], told["asks"]) == ([[1, 0.0001, 2]], [[2, 0, 0]])
    assert chain == {TOPIC: 5}


def test_nothing_when_nothing_changed(desk: Any, place: Any) -> None:
    conflation, chain = Conflation(TOPIC), {TOPIC: 1}
    assert conflation.tell(chain, desk.instrument("BTC-USD")) is None
    conflation.take(desk.carry_out(place("1", 100, 5)))
    assert conflation.tell(chain, desk.instrument("BTC-USD")) is not None
    assert conflation.tell(chain, desk.instrument("BTC-USD")) is None
