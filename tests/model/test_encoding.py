"""Commands and events stand in the log as pinned here: to change a byte is to break old logs."""

from typing import Any

import msgspec
import pytest

from tradeclear.model.commands import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    Configure,
    Idempotency,
    Limits,
    PlaceOrder,
)
from tradeclear.model.events import (
    CommandRefused,
    Configured,
    Event,
    LevelChanged,
    OrderAmended,
    OrderCancelled,
    OrderPlaced,
    OrdersCancelled,
    Record,
    TradeExecuted,
)
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import OrderState
from tradeclear.model.trade import Trade

encode = msgspec.msgpack.encode

USED = Idempotency(bytes(range(16)), bytes(range(16, 32)))
GRID = Instrument(
    name="BTC-USD",
    price_scale=2,
    price_step=1,
    quantity_scale=5,
    quantity_step=1,
    price_ticks_max=1_000_000_000,
    quantity_lots_min=1,
    quantity_lots_max=1_000_000_000,
)
STATE = OrderState(
    "o", "ann", "BTC-USD", "sell", "limit", 7_015_050, 25_000, 4, 500, "gtc", True, "decrement",
    "partially_filled", 105, 1, 2, 3, 4,
)  # fmt: skip
TRADE = TradeExecuted(
    7, "BTC-USD", 7_015_050, 3, "buy", "b", "s", "ann", "bob", 25_000, 24_997
)  # fmt: skip
LIMITS = Limits(
    open_orders_max=1,
    closed_orders_max=2,
    trades_max=3,
    idempotency_keys_max=4,
    idempotency_age_us=5,
)

COMMANDS: list[tuple[Command, str]] = [
    (
        PlaceOrder("o", "ann", "BTC-USD", "buy", "limit", 7_015_050, 25_000),
        "9d01a16fa3616e6ea74254432d555344a3627579a56c696d6974ce006b0a8acd61a8a3677463c2a4"
        "6e6f6e65c0c2",
    ),
    (
        PlaceOrder(
            "o", "ann", "BTC-USD", "sell", "market", 0, 1, "fok", True, "cancel_resting", USED, True
        ),
        "9d01a16fa3616e6ea74254432d555344a473656c6ca66d61726b65740001a3666f6bc3ae63616e63"
        "656c5f72657374696e6792c410000102030405060708090a0b0c0d0e0fc410101112131415161718"
        "191a1b1c1d1e1fc3",
    ),
    (
        CancelOrder("o"),
        "9402a16fc0c0",
    ),
    (
        CancelOrder("o", "ann", USED),
        "9402a16fa3616e6e92c410000102030405060708090a0b0c0d0e0fc410101112131415161718191a"
        "1b1c1d1e1f",
    ),
    (
        AmendOrder("o", 7_015_050, 25_000, "ann", USED),
        "9603a16fce006b0a8acd61a8a3616e6e92c410000102030405060708090a0b0c0d0e0fc410101112"
        "131415161718191a1b1c1d1e1f",
    ),
    (
        CancelAll("ann", "BTC-USD", USED),
        "9404a3616e6ea74254432d55534492c410000102030405060708090a0b0c0d0e0fc4101011121314"
        "15161718191a1b1c1d1e1f",
    ),
    (
        Configure((GRID,), LIMITS, 6),
        "9705918ba46e616d65a74254432d555344ab70726963655f7363616c6502aa70726963655f737465"
        "7001ae7175616e746974795f7363616c6505ad7175616e746974795f7374657001af70726963655f"
        "7469636b735f6d6178ce3b9aca00b17175616e746974795f6c6f74735f6d696e01b17175616e7469"
        "74795f6c6f74735f6d6178ce3b9aca00ac6e6f74696f6e616c5f6d696e00ac6e6f74696f6e616c5f"
        "6d6178cf7fffffffffffffffa774726164696e67c385af6f70656e5f6f72646572735f6d617801b1"
        "636c6f7365645f6f72646572735f6d617802aa7472616465735f6d617803b46964656d706f74656e"
        "63795f6b6579735f6d617804b26964656d706f74656e63795f6167655f757305060101c0",
    ),
]

EVENTS: list[tuple[Event, str]] = [
    (
        OrderPlaced("o", "partially_filled", 25_000, 4, 500, 0),
        "9701a16fb07061727469616c6c795f66696c6c6564cd61a804cd01f400",
    ),
    (
        TRADE,
        "9c0207a74254432d555344ce006b0a8a03a3627579a162a173a3616e6ea3626f62cd61a8cd61a5",
    ),
    (
        OrderCancelled(STATE),
        "9203dc0012a16fa3616e6ea74254432d555344a473656c6ca56c696d6974ce006b0a8acd61a804cd"
        "01f4a3677463c3a964656372656d656e74b07061727469616c6c795f66696c6c65646901020304",
    ),
    (
        OrderAmended(STATE),
        "9204dc0012a16fa3616e6ea74254432d555344a473656c6ca56c696d6974ce006b0a8acd61a804cd"
        "01f4a3677463c3a964656372656d656e74b07061727469616c6c795f66696c6c65646901020304",
    ),
    (
        CommandRefused(203, STATE),
        "9305cccbdc0012a16fa3616e6ea74254432d555344a473656c6ca56c696d6974ce006b0a8acd61a8"
        "04cd01f4a3677463c3a964656372656d656e74b07061727469616c6c795f66696c6c656469010203"
        "04",
    ),
    (
        CommandRefused(206),
        "9305cccec0",
    ),
    (
        LevelChanged("BTC-USD", "buy", 7_015_050, 25_000, 3),
        "9606a74254432d555344a3627579ce006b0a8acd61a803",
    ),
    (
        OrdersCancelled("ann", 10_000, 5),
        "9407a3616e6ecd271005",
    ),
    (
        Configured(7),
        "920807",
    ),
]

OTHERS: list[tuple[Any, str]] = [
    (
        Record(9, 1_700_000_000_000_000, CancelOrder("o"), (CommandRefused(202),)),
        "9409cf00060a24181e40009402a16fc0c0919305cccac0",
    ),
    (
        STATE,
        "dc0012a16fa3616e6ea74254432d555344a473656c6ca56c696d6974ce006b0a8acd61a804cd01f4"
        "a3677463c3a964656372656d656e74b07061727469616c6c795f66696c6c65646901020304",
    ),
    (
        Trade(TRADE, 9, 1_700_000_000_000_000),
        "939c0207a74254432d555344ce006b0a8a03a3627579a162a173a3616e6ea3626f62cd61a8cd61a5"
        "09cf00060a24181e4000",
    ),
]


def name(value: object) -> str | None:
    return None if isinstance(value, str) else type(value).__name__


@pytest.mark.parametrize(("value", "pinned"), COMMANDS + EVENTS + OTHERS, ids=name)
def test_encoding_is_pinned(value: object, pinned: str) -> None:
    assert encode(value).hex() == pinned


@pytest.mark.parametrize(("value", "pinned"), COMMANDS, ids=name)
def test_any_command_is_read_from_its_bytes(value: Command, pinned: str) -> None:
    assert msgspec.msgpack.decode(bytes.fromhex(pinned), type=Command) == value


@pytest.mark.parametrize(("value", "pinned"), EVENTS, ids=name)
def test_any_event_is_read_from_its_bytes(value: Event, pinned: str) -> None:
    assert msgspec.msgpack.decode(bytes.fromhex(pinned), type=Event) == value


@pytest.mark.parametrize(("value", "pinned"), OTHERS, ids=name)
def test_others_are_read_from_their_bytes(value: object, pinned: str) -> None:
    assert msgspec.msgpack.decode(bytes.fromhex(pinned), type=type(value)) == value


def test_record_of_an_older_release_is_read_with_defaults() -> None:
    """Fields are added at the end only: a shorter array is an older one."""
    old = encode([1, "o", "ann", "BTC-USD", "buy", "limit", 100, 5])
    read = msgspec.msgpack.decode(old, type=Command)
    assert read == PlaceOrder("o", "ann", "BTC-USD", "buy", "limit", 100, 5)


@pytest.mark.parametrize(
    "row",
    [
        [99, "o"],
        [2],
        [2, 5],
        [1, "o", "ann", "BTC-USD", "long", "limit", 100, 5],
        [1, "o", "ann", "BTC-USD", "buy", "limit", 100.5, 5],
        {"command": 2, "order_id": "o"},
    ],
)
def test_anything_else_is_no_command(row: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(encode(row), type=Command)
