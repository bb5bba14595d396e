"""The rule: every message that docs/streams.md shows is understood, exactly."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tradeclear.client.errors import NotUnderstood
from tradeclear.client.messages import (
    DepthSnapshot,
    DepthUpdate,
    Live,
    OrdersSnapshot,
    OrdersUpdate,
    StreamError,
    Subscribed,
    TradesUpdate,
    place_of,
    read_message,
)

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "streams.md").read_text(encoding="utf-8")
ABRIDGED = '"…"'


def shown(kind: str) -> list[str]:
    """The messages of that type that the page shows whole, each on one line."""
    texts = []
    for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL):
        for text in re.split(r"\n(?=\s*\{)", block):
            joined = re.sub(r"\n\s*", "", text).strip()
            if joined.startswith(f'{{"type":"{kind}"') and ABRIDGED not in joined:
                texts.append(joined)
    return texts


@pytest.mark.parametrize(
    ("kind", "structs"),
    [
        ("subscribed", {Subscribed}),
        ("live", {Live}),
        ("snapshot", {DepthSnapshot, OrdersSnapshot}),
        ("update", {DepthUpdate, TradesUpdate}),
        ("error", {StreamError}),
    ],
)
def test_what_the_page_shows(kind: str, structs: set[type]) -> None:
    messages = [read_message(text) for text in shown(kind)]
    assert {type(message) for message in messages} == structs


def test_numbers_are_exact() -> None:
    text = (
        '{"type":"update","channel":"orderbook_deltas","instrument":"X","sequence":2,'
        '"previous_sequence":1,"timestamp":"2025-01-31T08:00:01.000001Z",'
        '"bids":[[0.1,1234567890.12345678,3]],"asks":[],"something":"new"}'
    )
    message = read_message(text)
    assert isinstance(message, DepthUpdate)
    assert message.bids[0].price == Decimal("0.1")
    assert message.bids[0].quantity == Decimal("1234567890.12345678")
    assert message.timestamp.microsecond == 1
    assert place_of(message) == ("orderbook_deltas", "X", None)


def test_what_happened_to_an_order() -> None:
    text = (
        '{"type":"update","channel":"orders","instrument":"X","client_id":"a","sequence":2,'
        '"previous_sequence":1,"timestamp":"2025-01-31T08:00:01.000001Z","events":['
        '{"event":"traded","order_id":"o","side":"buy","quantity":0.25,"filled_quantity":0.25,'
        '"remaining_quantity":0,"status":"filled","closed":true,"trade":{"trade_id":17,'
        '"instrument":"X","buy_order_id":"o","sell_order_id":"p","maker_order_id":"o",'
        '"taker_side":"sell","price":70150.5,"quantity":0.25,'
        '"timestamp":"2025-01-31T08:00:01.000001Z","sequence":2}}]}'
    )
    message = read_message(text)
    assert isinstance(message, OrdersUpdate)
    (event,) = message.events
    assert (event.order_id, event.closed, event.filled_quantity) == ("o", True, Decimal("0.25"))
    assert event.trade is not None
    assert event.trade.taker_side == "sell"
    assert place_of(message) == ("orders", "X", "a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"type":"gossip"}',
        '{"type":"live","channels":["trades"]}',
        '{"type":"subscribed","channels":["trades"],"sequence":1,"resume":"none"}',
        b"\xff",
    ],
)
def test_anything_else_is_not(text: str | bytes) -> None:
    with pytest.raises(NotUnderstood):
        read_message(text)
