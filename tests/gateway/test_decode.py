"""The rule: any bytes are either a request or a refusal that says what to mend; never a crash."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tradeclear.gateway.decode import (
    RequestRefused,
    read_amend,
    read_batch,
    read_cancel,
    read_element,
    read_place,
    read_places,
)
from tradeclear.gateway.requests import AmendElement, CancelElement, PlaceRequest
from tradeclear.model.errors import InvalidField

BASE = b'{"client_id":"a","side":"buy","quantity":1%s}'


def place(more: bytes = b"") -> PlaceRequest:
    return read_place(BASE % more)


def test_defaults() -> None:
    request = place()
    assert (request.type, request.time_in_force, request.post_only) == ("limit", "gtc", False)
    assert (request.order_id, request.instrument, request.idempotency_key) == (None, None, None)
    assert request.self_trade_prevention == "none"


def test_optional_texts_may_be_null() -> None:
    assert place(b',"order_id":null,"instrument":null,"idempotency_key":null') == place()


def test_the_last_of_duplicate_keys_wins() -> None:
    request = place(b',"client_id":"b","quantity":2,"side":"sell"')
    assert (request.client_id, bytes(request.quantity), request.side) == ("b", b"2", "sell")


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        (b"{}", "client_id", "is required"),
        (b'{"client_id":"a"}', "side", "is required"),
        (b'{"client_id":"a","side":"buy"}', "quantity", "is required"),
        (BASE % b',"client_id":1', "client_id", "must be a string, not a number"),
        (BASE % b',"client_id":null', "client_id", "must be a string, not null"),
        (BASE % b',"client_id":["a"]', "client_id", "must be a string, not an array"),
        (BASE % b',"order_id":{}', "order_id", "must be a string or null, not an object"),
        (BASE % b',"order_id":1.5', "order_id", "must be a string or null, not a number"),
        (BASE % b',"post_only":1', "post_only", "must be true or false, not a number"),
        (BASE % b',"post_only":"true"', "post_only", "must be true or false, not a string"),
        (BASE % b',"side":"BUY"', "side", "must be one of ['buy', 'sell']"),
        (BASE % b',"side":null', "side", "must be a string, not null"),
        (BASE % b',"type":"stop"', "type", "must be one of ['limit', 'market']"),
        (BASE % b',"time_in_force":"day"', "time_in_force", "must be one of ['gtc', 'ioc', 'fok']"),
        (BASE % b',"op":"cancel"', "op", "must be one of ['place', 'cancel', 'amend']"),
        (BASE % b',"prise":1', "prise", "is not a field of this request"),
        (BASE % b',"":1', "", "is not a field of this request"),
        (BASE % (b',"%s":1' % (b"x" * 500)), "x" * 64, "is not a field of this request"),
        (BASE % b',"a` - at `$.side`":1', "a` - at `$.side`", "is not a field of this request"),
        (BASE % b',"side":"x\' - at `$.price`"', "side", "must be one of ['buy', 'sell']"),
        (BASE % b',"side":"x\\n"', "side", "must be one of ['buy', 'sell']"),
    ],
)
def test_the_field_is_named(body: bytes, field: str, problem: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_place(body)
    assert (caught.value.field, caught.value.problem) == (field, problem)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "the body is empty: a JSON object is expected"),
        (b" \n", "the body is empty: a JSON object is expected"),
        (b"[]", "the body must be an object, not an array"),
        (b"null", "the body must be an object, not null"),
        (b"1", "the body must be an object, not a number"),
        (b'"x"', "the body must be an object, not a string"),
        (b"{", "JSON is malformed: it ends too early"),
        (b"side=buy", "JSON is malformed: invalid character (byte 0)"),
        (b"\xef\xbb\xbf{}", "JSON is malformed: invalid character (byte 0)"),
        (BASE % b",", "JSON is malformed: trailing comma in object (byte 43)"),
        (BASE % b"" + b"x", "JSON is malformed: trailing characters (byte 44)"),
        (BASE % b',"price":NaN', None),
        (BASE % b',"price":Infinity', None),
        (BASE % b',"price":-Infinity', None),
        (BASE % b',"price":01', None),
        (BASE % b',"price":.5', None),
        (BASE % b',"price":1.', None),
        (BASE % b',"price":0x10', None),
        (BASE % b',"client_id":"\\ud800"', None),
        (BASE % b',"client_id":"a\x00"', None),
        (BASE % b',"client_id":"\xff\xfe"', "the body is not valid UTF-8"),
        (BASE % (b',"price":' + b"[" * 100_000), "the body is nested too deeply"),
        (BASE % (b',"price":' + b'{"a":' * 100_000), "the body is nested too deeply"),
        (b"[" * 100_000, "the body must be an object, not an array"),
    ],
)
def test_malformed_bodies(body: bytes, detail: str | None) -> None:
    with pytest.raises(RequestRefused) as caught:
        read_place(body)
    assert caught.value.kind.name == "malformed_body"
    assert caught.value.kind.status == 400
    assert detail in (None, caught.value.detail)


def test_a_batch_is_an_object_or_an_array() -> None:
    assert read_batch(b'{"orders":[1,{}]}') == read_batch(b" [1, {}]") == [Raw(b"1"), Raw(b"{}")]


def test_new_orders_alone_are_read_at_once() -> None:
    element = BASE % b""
    read = read_place(element)
    assert read_places(b'{"orders":[%b,%b]}' % (element, element)) == [read, read]
    assert read_places(b" [%b]" % (BASE % b',"op":"place"')) == [read]
    assert read_places(b"[]") == []


@pytest.mark.parametrize(
    "body",
    [
        b"[%b,1]" % (BASE % b""),
        b'[%b,{"op":"cancel","order_id":"o"}]' % (BASE % b""),
        b"[%b]" % (BASE % b',"prise":1'),
        b'{"orders":[],"more":1}',
        b'["\xff"]',
        b"[" * 100_000,
        b"",
    ],
)
def test_every_other_batch_is_left_to_be_read_one_by_one(body: bytes) -> None:
    assert read_places(body) is None


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[1", b"", b"{}", b'{"orders":1}', b"1"])
def test_malformed_batches(body: bytes) -> None:
    with pytest.raises((RequestRefused, InvalidField)):
        read_batch(body)


@pytest.mark.parametrize(
    ("element", "kind"),
    [
        (BASE % b"", PlaceRequest),
        (BASE % b',"op":"place"', PlaceRequest),
        (b'{"op":"cancel","order_id":"o"}', CancelElement),
        (b'{"\\u006fp":"cancel","order_id":"o"}', CancelElement),
        (b'{"order_id":"o","op":"amend","price":1}', AmendElement),
    ],
)
def test_elements_by_op(element: bytes, kind: type[Any]) -> None:
    assert type(read_element(Raw(element))) is kind


@pytest.mark.parametrize("op", [b'"sell"', b"1", b"null", b"[]", b'{"op":"cancel"}'])
def test_unknown_op(op: bytes) -> None:
    with pytest.raises(InvalidField, match="op: must be one of"):
        read_element(Raw(b'{"op":%s,"order_id":"o"}' % op))


def test_an_element_is_checked_as_strictly_as_a_request() -> None:
    with pytest.raises(InvalidField, match="prise: is not a field"):
        read_element(Raw(b'{"op":"amend","order_id":"o","prise":1}'))


READERS = [read_place, read_cancel, read_amend, read_batch, lambda b: read_element(Raw(b))]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["client_id", "side", "price", "quantity", "op", "orders", "x"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.binary(max_size=64) | JSON.map(msgspec.json.encode))
def test_any_bytes_are_a_request_or_a_refusal(body: bytes) -> None:
    for read in READERS:
        with suppress(InvalidField, RequestRefused):
            read(body)
