"""The text written straight is the text that the described structs would give, byte for byte."""

import json
from decimal import Decimal
from typing import Any

import msgspec

from tradeclear.core.engine import Engine
from tradeclear.gateway.placed_text import placed_text
from tradeclear.gateway.replies import OrderReply
from tradeclear.gateway.views import order_view, time_text, trade_view
from tradeclear.model import reasons
from tradeclear.model.commands import PlaceOrder
from tradeclear.model.events import OrderPlaced, Record, TradeExecuted
from tradeclear.model.instrument import define_instrument
from tradeclear.testing.commands import commands


def described(record: Record, engine: Engine) -> bytes:
    """The same reply through `OrderReply`, from the order as the engine knows it."""
    placed = record.events[0]
    assert isinstance(placed, OrderPlaced)
    order = engine.orders.by_id[placed.order_id].state()
    instrument = engine.instruments[order.instrument]
    time = time_text(record.time)
    trades = [
        trade_view(event, record.seq, time, instrument)
        for event in record.events
        if isinstance(event, TradeExecuted)
    ]
    return msgspec.json.encode(OrderReply(order_view(order, instrument), trades))


def test_every_reply_of_a_long_random_flow() -> None:
    engine = Engine()
    compared = 0
    for seq, (now, command) in enumerate(commands(seed=20_251_120), 1):
        record = Record(seq, now, command, engine.apply(seq, now, command))
        placed = record.events[0]
        if isinstance(command, PlaceOrder) and isinstance(placed, OrderPlaced):
            order = engine.orders.by_id.get(placed.order_id)
            if order is None:
                continue  # the window of closed orders was full of newer ones at once
            text = placed_text(record, command, placed, engine.instruments[command.instrument])
            assert text == described(record, engine), f"record {seq}"
            compared += 1
        if compared == 3_000:
            return
    raise AssertionError("the stream ended too early")


BTC = define_instrument("BTC-USD")
TIME = 1_700_000_000_000_001


def shown(command: PlaceOrder, placed: OrderPlaced) -> Any:
    text = placed_text(Record(7, TIME, command, (placed,)), command, placed, BTC)
    return json.loads(text, parse_float=Decimal)


def test_a_resting_order() -> None:
    command = PlaceOrder("o", "A", "BTC-USD", "buy", "limit", 7015050, 25000)
    assert shown(command, OrderPlaced("o", "open", 25000, 25000, 0, 0)) == {
        "order": {
            "order_id": "o",
            "client_id": "A",
            "instrument": "BTC-USD",
            "side": "buy",
            "type": "limit",
            "price": Decimal("70150.5"),
            "quantity": Decimal("0.25"),
            "filled_quantity": 0,
            "remaining_quantity": Decimal("0.25"),
            "average_price": None,
            "time_in_force": "gtc",
            "post_only": False,
            "self_trade_prevention": "none",
            "status": "open",
            "closed": False,
            "reject_reason": None,
            "created_at": "2023-11-14T22:13:20.000001Z",
            "updated_at": "2023-11-14T22:13:20.000001Z",
            "sequence": 7,
            "updated_sequence": 7,
        },
        "trades": [],
    }


def test_a_market_order_that_found_too_little() -> None:
    command = PlaceOrder("o", "A", "BTC-USD", "sell", "market", 0, 300_000)
    placed = OrderPlaced("o", "partially_filled", 300_000, 100_000, 20_000_100, reasons.NONE)
    order = shown(command, placed)["order"]
    assert (order["price"], order["closed"]) == (None, True)
    assert (order["filled_quantity"], order["remaining_quantity"]) == (2, 1)
    assert order["average_price"] == Decimal("1.000005")


def test_a_rejected_order_says_why() -> None:
    command = PlaceOrder("o", "A", "BTC-USD", "sell", "market", 0, 1)
    order = shown(command, OrderPlaced("o", "rejected", 1, 1, 0, reasons.NO_LIQUIDITY))["order"]
    assert (order["status"], order["reject_reason"]) == ("rejected", "no_liquidity")
    assert (order["average_price"], order["closed"]) == (None, True)


def test_an_average_is_rounded_even_if_every_price_is_finer() -> None:
    fine = define_instrument(
        "FINE-USD", tick_size="0.0000000001", lot_size="1", price_max="10", quantity_max="10"
    )
    command = PlaceOrder("o", "c", "FINE-USD", "buy", "limit", 12_345_678_915, 2)
    trade = TradeExecuted(1, "FINE-USD", 12_345_678_915, 2, "buy", "o", "m", "c", "d", 2, 0)
    placed = OrderPlaced("o", "filled", 2, 0, 2 * 12_345_678_915, 0)
    text = placed_text(Record(7, TIME, command, (placed, trade)), command, placed, fine)
    assert b'"average_price":1.23456789,' in text
    assert b'"price":1.2345678915,' in text
