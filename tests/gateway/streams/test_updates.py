"""The rule: an update is all that one command did to one topic, made from the record alone."""

import json
from decimal import Decimal
from typing import Any

from tradeclear.gateway.streams.message import Message
from tradeclear.gateway.streams.topic import CHANNELS, Topic
from tradeclear.gateway.streams.updates import Updates
from tradeclear.model.commands import AmendOrder, CancelAll, CancelOrder, Quote
from tradeclear.model.events import Record

DELTAS = Topic("orderbook_deltas", "BTC-USD")
TRADES = Topic("trades", "BTC-USD")
ORDERS_A = Topic("orders", "BTC-USD", "A")
ORDERS_B = Topic("orders", "BTC-USD", "B")
EVERYTHING = (DELTAS, TRADES, ORDERS_A, ORDERS_B)


def read(message: Message) -> Any:
    return json.loads(message.text, parse_float=Decimal)


def told(desk: Any, record: Record, *topics: Topic) -> dict[Topic, Any]:
    chain = dict.fromkeys(topics or EVERYTHING, record.seq - 1)
    found = Updates(desk).of(record, chain)
    order = [CHANNELS.index(topic.channel) for topic, _message in found]
    assert order == sorted(order)
    return {topic: read(message) for topic, message in found}


def test_an_order_that_rests(desk: Any, place: Any) -> None:
    record = desk.carry_out(place("1", 7_015_050, 25_000))
    found = told(desk, record)
    assert found[DELTAS] == {
        "type": "update",
        "channel": "orderbook_deltas",
        "instrument": "BTC-USD",
        "sequence": 2,
        "previous_sequence": 1,
        "timestamp": "2023-11-14T22:13:22.000000Z",
        "bids": [[Decimal("70150.5"), Decimal("0.25"), 1]],
        "asks": [],
    }
    (event,) = found[ORDERS_A]["events"]
    assert (event["event"], event["order"]["order_id"], event["trades"]) == ("placed", "1", [])
    assert found[ORDERS_A]["client_id"] == "A"
    assert set(found) == {DELTAS, ORDERS_A}


def test_an_order_that_trades(desk: Any, place: Any) -> None:
    desk.carry_out(place("1", 100, 5))
    desk.carry_out(place("2", 101, 5))
    found = told(desk, desk.carry_out(place("3", 100, 7, "B", side="sell")))
    one = Decimal("0.00001")
    assert found[DELTAS]["bids"] == [[Decimal("1.01"), 0, 0], [1, 3 * one, 1]]
    assert found[DELTAS]["asks"] == []
    first, second = found[TRADES]["trades"]
    assert (first["trade_id"], first["price"], first["quantity"]) == (1, Decimal("1.01"), 5 * one)
    assert (second["buy_order_id"], second["sell_order_id"]) == ("1", "3")
    assert (second["maker_order_id"], second["taker_side"]) == ("1", "sell")
    assert second["sequence"] == found[TRADES]["sequence"] == 4
    assert [(e["event"], e["order_id"]) for e in found[ORDERS_A]["events"]] == [
        ("traded", "2"),
        ("traded", "1"),
    ]
    filled, partly = found[ORDERS_A]["events"]
    assert (filled["status"], filled["closed"], filled["remaining_quantity"]) == ("filled", True, 0)
    assert (partly["status"], partly["closed"]) == ("partially_filled", False)
    assert (partly["quantity"], partly["filled_quantity"]) == (5 * one, 2 * one)
    assert partly["trade"] == second
    (placed,) = found[ORDERS_B]["events"]
    assert placed["order"]["status"] == "filled"
    assert [trade["trade_id"] for trade in placed["trades"]] == [1, 2]


def test_a_client_that_trades_with_itself_hears_both(desk: Any, place: Any) -> None:
    desk.carry_out(place("1", 100, 5))
    found = told(desk, desk.carry_out(place("2", 100, 5, side="sell")))
    assert [event["event"] for event in found[ORDERS_A]["events"]] == ["placed", "traded"]


def test_self_trade_prevention(desk: Any, place: Any) -> None:
    desk.carry_out(place("1", 100, 5))
    sell = place("2", 100, 3, side="sell", self_trade_prevention="decrement")
    found = told(desk, desk.carry_out(sell))
    placed, amended = found[ORDERS_A]["events"]
    assert (placed["event"], placed["order"]["status"]) == ("placed", "cancelled")
    assert (amended["event"], amended["trades"]) == ("amended", [])
    assert amended["order"]["quantity"] == Decimal("0.00002")
    assert TRADES not in found


def test_an_amend_that_trades(desk: Any, place: Any) -> None:
    desk.carry_out(place("1", 100, 5))
    desk.carry_out(place("2", 102, 5, "B", side="sell"))
    found = told(desk, desk.carry_out(AmendOrder("2", price=100)))
    (amended,) = found[ORDERS_B]["events"]
    assert (amended["event"], amended["order"]["status"]) == ("amended", "filled")
    assert [trade["trade_id"] for trade in amended["trades"]] == [1]
    (traded,) = found[ORDERS_A]["events"]
    assert traded["order_id"] == "1"
    assert (len(found[DELTAS]["bids"]), len(found[DELTAS]["asks"])) == (1, 1)


def test_cancels(desk: Any, place: Any) -> None:
    desk.carry_out(place("1", 100, 5))
    desk.carry_out(place("2", 100, 5, "B"))
    found = told(desk, desk.carry_out(CancelOrder("1")))
    (cancelled,) = found[ORDERS_A]["events"]
    assert (cancelled["event"], cancelled["order"]["closed"]) == ("cancelled", True)
    assert found[DELTAS]["bids"] == [[1, Decimal("0.00005"), 1]]
    assert ORDERS_B not in found


def test_a_cancel_all_over_two_instruments(desk: Any, place: Any) -> None:
    desk.carry_out(place("1", 100, 5))
    desk.carry_out(place("2", 100, 5, instrument="ETH-USD"))
    other = Topic("orderbook_deltas", "ETH-USD")
    chain = {DELTAS: 0, other: 0}
    found = Updates(desk).of(desk.carry_out(CancelAll("A")), chain)
    assert [topic for topic, _message in found] == [DELTAS, other]


def test_what_changes_nothing_is_not_told(desk: Any, place: Any) -> None:
    desk.carry_out(place("1", 100, 5))
    assert told(desk, desk.carry_out(place("1", 100, 5))) == {}
    assert told(desk, desk.carry_out(CancelOrder("unknown"))) == {}


def test_only_what_is_wanted(desk: Any, place: Any) -> None:
    desk.carry_out(place("1", 100, 5))
    record = desk.carry_out(place("2", 100, 5, "B", side="sell"))
    assert set(told(desk, record, TRADES)) == {TRADES}
    assert told(desk, record, Topic("orders", "BTC-USD", "C"), Topic("trades", "ETH-USD")) == {}


def test_each_names_the_one_before(desk: Any, place: Any) -> None:
    chain = {DELTAS: 1, TRADES: 1}
    updates = Updates(desk)
    told = []
    for command in (place("1", 100, 5), place("1", 1, 1), place("2", 100, 5, side="sell")):
        told += updates.of(desk.carry_out(command), chain)
    chained = [(topic.channel, read(m)["previous_sequence"], m.sequence) for topic, m in told]
    assert chained == [("orderbook_deltas", 1, 2), ("orderbook_deltas", 2, 4), ("trades", 1, 4)]
    assert chain == {DELTAS: 4, TRADES: 4}


def test_a_quote(desk: Any, place: Any) -> None:
    desk.carry_out(place("1", 100, 5, "B"))
    found = told(desk, desk.carry_out(Quote("A", "BTC-USD", bids=((90, 3),), asks=((100, 7),))))
    assert [event["event"] for event in found[ORDERS_A]["events"]] == ["placed", "placed"]
    made = [len(event["trades"]) for event in found[ORDERS_A]["events"]]
    assert sorted(made) == [0, 1]
    assert [event["event"] for event in found[ORDERS_B]["events"]] == ["traded"]
    rests = [Decimal("0.9"), Decimal("0.00003"), 1]
    assert sorted(found[DELTAS]["bids"]) == [rests, [1, 0, 0]]
    assert found[DELTAS]["asks"] == [[1, Decimal("0.00002"), 1]]
    cancelled = told(desk, desk.carry_out(Quote("A", "BTC-USD", bids=((90, 0),))))
    assert [event["event"] for event in cancelled[ORDERS_A]["events"]] == ["cancelled"]
