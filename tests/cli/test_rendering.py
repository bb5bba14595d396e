"""A record in JSON has every field by its name, exact decimals, counts where no grid is known."""

import json
from typing import Any, get_args

import pytest
from msgspec import Struct

from tradeclear.cli.grids import Grids
from tradeclear.cli.rendering import record_line
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
    Quote,
)
from tradeclear.model.events import (
    CommandRefused,
    Configured,
    Event,
    LevelChanged,
    OrderAmended,
    OrderCancelled,
    OrderEntered,
    OrderPlaced,
    OrdersCancelled,
    Quoted,
    Record,
    TradeExecuted,
)
from tradeclear.model.instrument import define_instrument
from tradeclear.model.order import OrderState

BTC = define_instrument("BTC-USD")
KNOWN = Grids((BTC,))
NOW = 1_700_000_000_123_456
PLACE = PlaceOrder("o1", "ann", "BTC-USD", "buy", "limit", 7_015_050, 25_000)
STATE = OrderState(
    "o1",
    "ann",
    "BTC-USD",
    "buy",
    "limit",
    7_015_050,
    25_000,
    10_000,
    105_225_750_000,
    "gtc",
    False,
    "none",
    "partially_filled",
    reasons.NONE,
    NOW,
    NOW,
    1,
    2,
)


def shown(command: Command, *events: Event, grids: Grids = KNOWN) -> Any:
    line = record_line(Record(7, NOW, command, events), grids)
    assert line.endswith(b"}\n")
    return json.loads(line, parse_float=str)


def test_a_placed_order_and_its_trade() -> None:
    record = shown(
        PLACE,
        OrderPlaced("o1", "partially_filled", 25_000, 10_000, 105_225_750_000, reasons.NONE),
        TradeExecuted(3, "BTC-USD", 7_015_050, 15_000, "buy", "o1", "m1", "ann", "bob", 15_000, 0),
        LevelChanged("BTC-USD", "sell", 7_015_050, 0, 0),
    )
    assert record == {
        "seq": 7,
        "time": "2023-11-14T22:13:20.123456Z",
        "command": {
            "type": "PlaceOrder",
            "order_id": "o1",
            "client_id": "ann",
            "instrument": "BTC-USD",
            "side": "buy",
            "order_type": "limit",
            "price": "70150.5",
            "quantity": "0.25",
            "time_in_force": "gtc",
            "post_only": False,
            "self_trade_prevention": "none",
            "idempotency": None,
            "id_generated": False,
        },
        "events": [
            {
                "type": "OrderPlaced",
                "order_id": "o1",
                "status": "partially_filled",
                "quantity": "0.25",
                "remaining_quantity": "0.1",
                "notional": "10522.575",
                "reason": None,
            },
            {
                "type": "TradeExecuted",
                "trade_id": 3,
                "instrument": "BTC-USD",
                "price": "70150.5",
                "quantity": "0.15",
                "taker_side": "buy",
                "buy_order_id": "o1",
                "sell_order_id": "m1",
                "buy_client_id": "ann",
                "sell_client_id": "bob",
                "maker_quantity": "0.15",
                "maker_remaining_quantity": 0,
            },
            {
                "type": "LevelChanged",
                "instrument": "BTC-USD",
                "side": "sell",
                "price": "70150.5",
                "quantity": 0,
                "orders": 0,
            },
        ],
    }


def test_where_no_instrument_is_known_counts_say_so() -> None:
    record = shown(
        PLACE,
        OrderPlaced("o1", "open", 25_000, 25_000, 12, reasons.NONE),
        grids=Grids(),
    )
    command, placed = record["command"], record["events"][0]
    assert (command["price_ticks"], command["quantity_lots"]) == (7_015_050, 25_000)
    assert placed["remaining_quantity_lots"] == 25_000
    assert placed["notional_tick_lots"] == 12
    assert not {"price", "quantity", "remaining_quantity", "notional"} & (command | placed).keys()


def test_a_market_order_has_no_price() -> None:
    market = PlaceOrder("o1", "ann", "BTC-USD", "buy", "market", 0, 25_000)
    assert shown(market)["command"]["price"] is None
    assert shown(market, grids=Grids())["command"]["price_ticks"] is None


def test_an_order_inside_an_event_is_shown_whole() -> None:
    record = shown(CancelOrder("o1"), OrderCancelled(STATE))
    assert record["command"] == {
        "type": "CancelOrder",
        "order_id": "o1",
        "client_id": None,
        "idempotency": None,
    }
    order = record["events"][0]["order"]
    assert order["type"] == "limit"
    assert order["remaining_quantity"] == "0.1"
    assert order["created_at"] == "2023-11-14T22:13:20.123456Z"
    assert order.keys() == set(OrderState.__struct_fields__)


def test_an_amendment_counts_in_the_grid_of_its_order() -> None:
    amended = shown(AmendOrder("o1", price=7_000_000, quantity=30_000), OrderAmended(STATE))
    assert (amended["command"]["price"], amended["command"]["quantity"]) == (70_000, "0.3")
    unknown = shown(AmendOrder("o9", quantity=5), CommandRefused(reasons.UNKNOWN_ORDER))
    assert unknown["command"]["quantity_lots"] == 5


def test_what_an_amendment_leaves_is_null() -> None:
    amended = shown(AmendOrder("o1"), OrderAmended(STATE))
    assert (amended["command"]["price"], amended["command"]["quantity"]) == (None, None)
    unknown = shown(AmendOrder("o9"), CommandRefused(reasons.UNKNOWN_ORDER))
    assert unknown["command"]["price_ticks"] is None
    assert unknown["command"]["quantity_lots"] is None


def test_reasons_have_names() -> None:
    refused = shown(PLACE, CommandRefused(reasons.UNKNOWN_INSTRUMENT), CommandRefused(299))
    assert [event["reason"] for event in refused["events"]] == ["unknown_instrument", "reason_299"]


def test_digests_are_hex() -> None:
    used = Idempotency(b"\x00" * 16, b"\xff" * 16)
    record = shown(CancelAll("ann", idempotency=used))
    assert record["command"]["idempotency"] == {"key": "00" * 16, "request": "ff" * 16}


def test_a_configuration_is_shown_in_decimals() -> None:
    record = shown(Configure((BTC,), Limits()), Configured(), grids=Grids())
    assert record["command"]["instruments"] == [
        {
            "name": "BTC-USD",
            "tick_size": "0.01",
            "lot_size": "0.00001",
            "price_max": 10_000_000,
            "quantity_min": "0.00001",
            "quantity_max": 10_000,
            "notional_min": 0,
            "notional_max": "922337203685.4775807",
            "trading": True,
        }
    ]
    assert record["command"]["limits"]["trades_max"] == 200_000


SAMPLES: dict[type[Struct], Struct] = {
    type(sample): sample
    for sample in (
        PLACE,
        CancelOrder("o1"),
        AmendOrder("o1"),
        CancelAll("ann"),
        Configure((BTC,), Limits()),
        OrderPlaced("o1", "open", 1, 1, 0, 0),
        TradeExecuted(3, "BTC-USD", 1, 1, "buy", "o1", "m1", "ann", "bob", 1, 0),
        OrderCancelled(STATE),
        OrderAmended(STATE),
        CommandRefused(101),
        LevelChanged("BTC-USD", "buy", 1, 1, 1),
        OrdersCancelled("ann", 1, 0),
        Configured(),
        Quote("house", "BTC-USD", ((1, 1),), ()),
        Quoted("house", 1),
        OrderEntered(STATE),
    )
}


@pytest.mark.parametrize("kind", [*get_args(Command), *get_args(Event)])
def test_no_field_of_any_command_or_event_is_left_out(kind: type[Struct]) -> None:
    sample: Any = SAMPLES[kind]
    is_command = kind in get_args(Command)
    record = shown(sample) if is_command else shown(PLACE, sample)
    fields = record["command"] if is_command else record["events"][0]
    expected = {"order_type" if name == "type" else name for name in kind.__struct_fields__}
    assert fields.pop("type") == kind.__name__
    assert {name.removesuffix("_ticks").removesuffix("_lots") for name in fields} == expected


def test_the_levels_of_a_quote_are_pairs_of_decimals() -> None:
    record = shown(Quote("house", "BTC-USD", ((7_015_050, 25_000),), ((7_015_060, 0),)))
    assert record["command"]["bids"] == [["70150.5", "0.25"]]
    assert record["command"]["asks"] == [["70150.6", 0]]
