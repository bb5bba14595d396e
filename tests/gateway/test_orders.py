"""The rule: a request becomes a complete command in integers, or the field to mend is named."""

import json
import re
import uuid
from typing import Any

import pytest

from tradeclear.core.idempotency import idempotency
from tradeclear.gateway.decode import RequestRefused, read_amend
from tradeclear.gateway.orders import (
    amend,
    cancel_all,
    cancel_order,
    find_instrument,
    new_order_id,
    place_order,
)
from tradeclear.model.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder
from tradeclear.model.errors import InvalidField
from tradeclear.model.instrument import Instrument, define_instrument

BTC = define_instrument("BTC-USD")
ETH = define_instrument("ETH-USD", tick_size="0.05", lot_size="0.1", notional_min="10")
OLD = define_instrument("OLD-USD", trading=False)


class Listed:
    """Instruments in a tuple."""

    def __init__(self, *instruments: Instrument) -> None:
        self._instruments = instruments

    def instrument(self, name: str) -> Instrument | None:
        return next((one for one in self._instruments if one.name == name), None)

    def instruments(self) -> tuple[Instrument, ...]:
        return self._instruments


THREE = Listed(BTC, ETH, OLD)


def place(header_key: str | None = None, **fields: Any) -> PlaceOrder:
    body = {"client_id": "A", "order_id": "o", "side": "buy", "quantity": 1, "price": 2, **fields}
    kept = {name: value for name, value in body.items() if value is not ...}
    return place_order(json.dumps(kept).encode(), header_key, THREE)


def test_the_example_of_the_documentation() -> None:
    body = (
        b'{"idempotency_key":"abc-123","order_id":"order-1","client_id":"client-A",'
        b'"instrument":"BTC-USD","side":"buy","type":"limit","price":70150.5,"quantity":0.25}'
    )
    plain = PlaceOrder("order-1", "client-A", "BTC-USD", "buy", "limit", 7015050, 25000)
    expected = PlaceOrder(
        "order-1",
        "client-A",
        "BTC-USD",
        "buy",
        "limit",
        7015050,
        25000,
        idempotency=idempotency("client-A", "abc-123", plain),
    )
    assert place_order(body, None, THREE) == expected
    assert place_order(body, "abc-123", THREE) == expected


def test_number_and_string_are_the_same_exact_order() -> None:
    assert place(price="1234567.89", quantity="0.00001") == place_order(
        b'{"client_id":"A","order_id":"o","side":"buy","price":1234567.89,"quantity":1e-5}',
        None,
        THREE,
    )


def test_an_id_of_ours() -> None:
    made = place(order_id=...)
    assert made.id_generated
    assert uuid.UUID(made.order_id).version == 4
    assert not place().id_generated


def test_a_retry_without_an_id_is_the_same_request() -> None:
    one, two = (place("key", order_id=...) for _ in range(2))
    assert one.order_id != two.order_id
    assert one.idempotency == two.idempotency is not None


def test_new_order_ids_are_uuids_and_differ() -> None:
    ids = {new_order_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(str(uuid.UUID(text)) == text for text in ids)
    assert {uuid.UUID(text).version for text in ids} == {4}
    assert {uuid.UUID(text).variant for text in ids} == {uuid.RFC_4122}


def test_a_market_order_has_price_0() -> None:
    assert place(type="market", price=...).price == 0
    assert place(type="market", price=None, time_in_force="fok").price == 0


def test_terms_are_handed_on() -> None:
    made = place(
        side="sell",
        time_in_force="gtc",
        post_only=True,
        self_trade_prevention="decrement",
        instrument="ETH-USD",
        price="100.05",
        quantity="0.3",
    )
    assert made == PlaceOrder(
        "o", "A", "ETH-USD", "sell", "limit", 2001, 3, "gtc", True, "decrement"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price": ...}, "price: is required for a limit order"),
        ({"price": None}, "price: is required for a limit order"),
        ({"type": "market"}, "price: must be left out of a market order"),
        ({"type": "market", "price": ..., "post_only": True}, "post_only: is for limit orders"),
        ({"post_only": True, "time_in_force": "ioc"}, "post_only: goes with time_in_force gtc"),
        ({"post_only": True, "time_in_force": "fok"}, "post_only: goes with time_in_force gtc"),
        ({"quantity": None}, "quantity: is required"),
        ({"quantity": 0}, "quantity: must be greater than 0"),
        ({"quantity": -1}, "quantity: must be greater than 0"),
        ({"quantity": "-0.5"}, "quantity: must be greater than 0"),
        ({"quantity": True}, "quantity: must be a number or a decimal string, not true"),
        ({"quantity": [1]}, "quantity: must be a number or a decimal string, not an array"),
        ({"quantity": {}}, "quantity: must be a number or a decimal string, not an object"),
        ({"quantity": "0.000001"}, "quantity: must be a multiple of the lot size 0.00001"),
        ({"quantity": "10000.00001"}, "quantity: must be at most 10000"),
        ({"quantity": "NaN"}, "quantity: must be a plain decimal number"),
        ({"quantity": "Infinity"}, "quantity: must be a plain decimal number"),
        ({"quantity": "1_000"}, "quantity: must be a plain decimal number"),
        ({"quantity": "+1"}, "quantity: must be a plain decimal number"),
        ({"quantity": " 1"}, "quantity: must be a plain decimal number"),
        ({"quantity": ""}, "quantity: must be a plain decimal number"),
        ({"quantity": "\N{ARABIC-INDIC DIGIT ONE}"}, "quantity: must be a plain decimal number"),
        ({"quantity": "1e999999999"}, "quantity: must be a plain decimal number"),
        ({"quantity": 10**40}, "quantity: must be at most 10000"),
        ({"quantity": "9" * 100_000}, "quantity: must be a decimal number of at most 64"),
        ({"price": 0}, "price: must be greater than 0"),
        ({"price": "0.001"}, "price: must be a multiple of the tick size 0.01"),
        ({"price": 10_000_001}, "price: must be at most 10000000"),
        ({"price": False}, "price: must be a number or a decimal string, not false"),
        ({"instrument": "ETH-USD", "price": "1.02"}, "price: must be a multiple of the tick size"),
        (
            {"instrument": "ETH-USD", "quantity": 1},
            "quantity: price x quantity must be at least 10",
        ),
        ({"instrument": "XRP-USD"}, "instrument: is not known here; known are: BTC-USD, ETH-USD"),
        ({"instrument": ""}, "instrument: is not known here"),
        ({"instrument": "OLD-USD"}, "instrument: OLD-USD takes no new orders"),
        ({"client_id": ""}, "client_id: must be 1 to 64 characters"),
        ({"client_id": "a\x00"}, "client_id: must be 1 to 64 characters"),
        ({"order_id": "o" * 65}, "order_id: must be 1 to 64 characters"),
        ({"order_id": ""}, "order_id: must be 1 to 64 characters"),
        ({"idempotency_key": ""}, "idempotency_key: must be 1 to 128"),
        ({"idempotency_key": "a b"}, "idempotency_key: must be 1 to 128"),
    ],
)
def test_what_is_wrong_with_an_order(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidField, match="^" + re.escape(message)):
        place(**changes)


def test_the_first_instrument_that_trades_is_the_default() -> None:
    assert find_instrument(Listed(OLD, ETH), None) is ETH
    with pytest.raises(InvalidField, match="instrument: is required: no instrument is trading"):
        find_instrument(Listed(OLD), None)


# Cancels


def test_cancel_without_a_body() -> None:
    assert cancel_order("o", b"", None, None) == CancelOrder("o")


def test_cancel_with_everything() -> None:
    command = cancel_order("o", b'{"client_id":"A","idempotency_key":"k"}', "A", "k")
    assert command.client_id == "A"
    assert command.idempotency == idempotency("A", "k", CancelOrder("o", "A"))


def test_a_cancel_without_client_has_keys_of_its_own() -> None:
    command = cancel_order("o", b"{}", None, "k")
    assert command.idempotency == idempotency("", "k", CancelOrder("o"))


@pytest.mark.parametrize(
    ("order_id", "body", "client_id", "message"),
    [
        ("o o", b"", None, "order_id: must be"),
        ("", b"", None, "order_id: must be"),
        ("o", b"", "", "client_id: must be"),
        ("o", b'{"client_id":""}', None, "client_id: must be"),
        ("o", b'{"client_id":"A"}', "B", "client_id: differs between query and body"),
        ("o", b'{"client":"A"}', None, "client: is not a field"),
    ],
)
def test_what_is_wrong_with_a_cancel(
    order_id: str, body: bytes, client_id: str | None, message: str
) -> None:
    with pytest.raises(InvalidField, match=f"^{message}"):
        cancel_order(order_id, body, client_id, None)


def test_cancel_all() -> None:
    assert cancel_all("A", None, None, THREE) == CancelAll("A")
    command = cancel_all("A", "OLD-USD", "k", THREE)
    assert command.instrument == "OLD-USD"
    assert command.idempotency == idempotency("A", "k", CancelAll("A", "OLD-USD"))


@pytest.mark.parametrize(("client_id", "instrument"), [("", None), ("a b", None), ("A", "XRP")])
def test_what_is_wrong_with_a_cancel_all(client_id: str, instrument: str | None) -> None:
    with pytest.raises(InvalidField):
        cancel_all(client_id, instrument, None, THREE)


# Amends


def amended(body: bytes, name: str | None = "BTC-USD", key: str | None = None) -> AmendOrder:
    return amend("o", read_amend(body), key, THREE, name)


def test_amends() -> None:
    assert amended(b'{"price":"1.5"}') == AmendOrder("o", price=150)
    assert amended(b'{"quantity":2,"price":null}') == AmendOrder("o", quantity=200_000)
    command = amended(b'{"price":1,"quantity":2,"client_id":"A"}', "ETH-USD", "k")
    assert (command.price, command.quantity, command.client_id) == (20, 20, "A")
    assert command.idempotency == idempotency("A", "k", AmendOrder("o", 20, 20, "A"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "quantity: or price is required"),
        (b'{"price":null,"quantity":null}', "quantity: or price is required"),
        (b'{"price":0}', "price: must be greater than 0"),
        (b'{"quantity":-1}', "quantity: must be greater than 0"),
        (b'{"price":1,"side":"buy"}', "side: is not a field"),
        (b'{"price":1,"client_id":" "}', "client_id: must be"),
    ],
)
def test_what_is_wrong_with_an_amend(body: bytes, message: str) -> None:
    with pytest.raises(InvalidField, match=f"^{message}"):
        amended(body)


def test_an_unknown_orders_amend_goes_to_the_matcher_if_it_can() -> None:
    assert amended(b'{"price":1}', name=None) == AmendOrder("o", price=100)
    with pytest.raises(RequestRefused) as caught:
        amended(b'{"price":"0.001"}', name=None)
    assert caught.value.kind.name == "unknown_order"
