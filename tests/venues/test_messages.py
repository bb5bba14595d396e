"""Binance's messages are read exactly, and whatever is none is refused by one exception."""

import json
from typing import Any

import pytest

from tradeclear.testing.venue_sim.hub import GARBAGE
from tradeclear.venues.messages import (
    Diff,
    MessageUnreadable,
    Ticker,
    Trade,
    read_level,
    read_message,
)


def frame(stream: str, **data: Any) -> str:
    return json.dumps({"stream": stream, "data": data})


def test_a_diff() -> None:
    text = frame(
        "btcusdt@depth@100ms", e="depthUpdate", E=1, s="BTCUSDT", U=157, u=160,
        b=[["0.00240000", "10.00000000"]], a=[["0.00260000", "0.00000000"]],
    )  # fmt: skip
    assert read_message(text) == Diff(157, 160, ((240_000, 10**9),), ((260_000, 0),))


def test_a_ticker() -> None:
    text = frame(
        "btcusdt@bookTicker", u=400900217, s="BTCUSDT",
        b="25.35190000", B="31.21000000", a="25.36520000", A="40.66000000",
    )  # fmt: skip
    expected = Ticker(400900217, (2_535_190_000, 3_121_000_000), (2_536_520_000, 4_066_000_000))
    assert read_message(text) == expected


def test_a_trade() -> None:
    text = frame(
        "btcusdt@trade", e="trade", E=1, s="BTCUSDT", t=12345, p="0.001", q="100", T=9, m=True,
        M=True,
    )  # fmt: skip
    assert read_message(text) == Trade(12345, 100_000, 10**10, 9, True)


def test_no_digit_is_lost() -> None:
    assert read_level("123456789012.12345678", "0.00000001") == (12345678901212345678, 1)


def test_what_nobody_follows_is_nothing() -> None:
    assert read_message(frame("btcusdt@kline_1m", k=1)) is None


@pytest.mark.parametrize("text", [*GARBAGE, '{"result":null,"id":1}', "null", "[]"])
def test_garbage_is_refused(text: str | bytes) -> None:
    with pytest.raises(MessageUnreadable):
        read_message(text)


@pytest.mark.parametrize(
    ("price", "quantity"),
    [("0", "1"), ("-1", "1"), ("1", "-1"), ("x", "1"), ("1", "NaN"), ("0.000000001", "1"), (1, 2)],
)
def test_levels_that_are_none(price: Any, quantity: Any) -> None:
    with pytest.raises(MessageUnreadable):
        read_level(price, quantity)
