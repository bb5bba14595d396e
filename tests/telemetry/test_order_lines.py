"""One line of JSON a record, newline last."""

import json

from tradeclear.model.commands import CancelOrder, PlaceOrder
from tradeclear.model.events import CommandRefused, LevelChanged, OrderPlaced, Record, TradeExecuted
from tradeclear.telemetry.order_lines import encode_lines


def test_a_line_says_what_was_asked_and_what_came_of_it() -> None:
    place = PlaceOrder("b", "B", "BTC-USD", "sell", "limit", 100, 2)
    trade = TradeExecuted(1, "BTC-USD", 100, 2, "sell", "a", "b", "A", "B", 2, 0)
    level = LevelChanged("BTC-USD", "buy", 100, 0, 0)
    text = encode_lines(
        [
            Record(2, 5, place, (OrderPlaced("b", "filled", 2, 0, 200, 0), trade, level)),
            Record(3, 6, CancelOrder("nobody"), (CommandRefused(202),)),
        ],
    )
    assert [json.loads(line) for line in text.splitlines()] == [
        {
            "event": "order",
            "seq": 2,
            "time_us": 5,
            "command": "PlaceOrder",
            "client_id": "B",
            "order_id": "b",
            "status": "filled",
            "remaining_lots": 0,
            "trades": 1,
        },
        {
            "event": "order",
            "seq": 3,
            "time_us": 6,
            "command": "CancelOrder",
            "reason": "unknown_order",
        },
    ]
