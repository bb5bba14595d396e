"""The rule: what is shown is exact: every digit of a number, every microsecond of a time."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeclear.gateway.views import (
    average_digits,
    notional_digits,
    order_view,
    price_digits,
    quantity_digits,
    time_text,
    trade_view,
)
from tradeclear.model.events import TradeExecuted
from tradeclear.model.instrument import define_instrument
from tradeclear.model.order import OrderState

BTC = define_instrument("BTC-USD")
TIME = 1_700_000_000_000_001


def shown(view: msgspec.Struct) -> Any:
    return json.loads(msgspec.json.encode(view), parse_float=Decimal)


def test_an_older_order_has_two_times_and_two_sequences() -> None:
    state = OrderState(
        "o", "A", "BTC-USD", "buy", "limit", 100, 5, 2, 300, "gtc", True, "decrement",
        "partially_filled", 0, TIME, TIME + 1_000_000, 7, 9,
    )  # fmt: skip
    view = shown(order_view(state, BTC))
    assert (view["created_at"], view["sequence"]) == ("2023-11-14T22:13:20.000001Z", 7)
    assert (view["updated_at"], view["updated_sequence"]) == ("2023-11-14T22:13:21.000001Z", 9)
    assert (view["filled_quantity"], view["remaining_quantity"]) == (
        Decimal("0.00003"),
        Decimal("0.00002"),
    )
    assert (view["average_price"], view["post_only"], view["closed"]) == (1, True, False)


def test_a_trade() -> None:
    trade = TradeExecuted(3, "BTC-USD", 150, 25_000, "buy", "b", "s", "B", "S", 25_000, 0)
    assert shown(trade_view(trade, 7, time_text(TIME), BTC)) == {
        "trade_id": 3,
        "instrument": "BTC-USD",
        "buy_order_id": "b",
        "sell_order_id": "s",
        "maker_order_id": "s",
        "price": Decimal("1.5"),
        "quantity": Decimal("0.25"),
        "timestamp": "2023-11-14T22:13:20.000001Z",
        "sequence": 7,
    }


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (951_782_399_999_999, "2000-02-28T23:59:59.999999Z"),
        (4_102_444_800_000_000, "2100-01-01T00:00:00.000000Z"),
    ],
)
def test_times(micros: int, text: str) -> None:
    assert time_text(micros) == text


@pytest.mark.parametrize(
    ("notional", "filled", "digits"),
    [(1, 3, b"0.00333333"), (2, 3, b"0.00666667"), (3 * 10**7 + 1, 3, b"100000.00333333")],
)
def test_averages_have_8_decimals(notional: int, filled: int, digits: bytes) -> None:
    assert bytes(average_digits(BTC, notional, filled)) == digits


def test_averages_are_rounded_half_even() -> None:
    coarse = define_instrument("X", tick_size="0.00000001", lot_size="1", price_max="1000")
    assert bytes(average_digits(coarse, 3, 2)) == b"0.00000002"
    assert bytes(average_digits(coarse, 5, 2)) == b"0.00000002"


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_digits_are_exact_json_numbers(ticks: int, lots: int) -> None:
    price = json.loads(bytes(price_digits(BTC, ticks)), parse_float=Decimal)
    quantity = json.loads(bytes(quantity_digits(BTC, lots)), parse_float=Decimal)
    assert price == Decimal(ticks).scaleb(-2)
    assert quantity == Decimal(lots).scaleb(-5)
    notional = json.loads(bytes(notional_digits(BTC, ticks * lots)), parse_float=Decimal)
    assert notional == Decimal(ticks * lots).scaleb(-7)
