"""The rule: a text is an id, a key, a number or a choice, or the field that isn't is named."""

from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw

from tradeclear.gateway.fields import (
    check_id,
    check_key,
    choices,
    choose_key,
    integer,
    number_text,
)
from tradeclear.model.errors import InvalidField

BAD_IDS = [
    "",
    "a" * 65,
    "a b",
    "a\n",
    "\x00",
    "é",
    "a,b",
    '"',
    "a%2F",
    "\N{FULLWIDTH DIGIT ONE}",
    "a\u200b",
]


@pytest.mark.parametrize("text", ["a", "A" * 64, "x-1_2.3:4/5@6+7=8"])
def test_ids(text: str) -> None:
    assert check_id("order_id", text) == text


@pytest.mark.parametrize("text", BAD_IDS)
def test_no_ids(text: str) -> None:
    with pytest.raises(InvalidField, match=r"^client_id: must be 1 to 64 characters"):
        check_id("client_id", text)


def test_no_id_is_ever_escaped_in_json() -> None:
    every = "".join(chr(code) for code in range(256) if _is_id(chr(code)))
    assert msgspec.json.encode(every) == f'"{every}"'.encode()


def _is_id(text: str) -> bool:
    try:
        return check_id("", text) == text
    except InvalidField:
        return False


@pytest.mark.parametrize("text", ["k", "!" * 128, '"quoted"', "a{b}~"])
def test_keys(text: str) -> None:
    assert check_key("idempotency_key", text) == text


@pytest.mark.parametrize("text", ["", "k" * 129, "a b", "a\t", "\x7f", "ü"])
def test_no_keys(text: str) -> None:
    with pytest.raises(InvalidField, match=r"^Idempotency-Key: must be 1 to 128 printable"):
        choose_key(text, None)


@pytest.mark.parametrize(
    ("header", "body", "key"),
    [(None, None, None), ("h", None, "h"), (None, "b", "b"), ("same", "same", "same")],
)
def test_key_comes_from_either_place(header: str | None, body: str | None, key: str | None) -> None:
    assert choose_key(header, body) == key


def test_two_different_keys_are_refused() -> None:
    with pytest.raises(InvalidField, match="idempotency_key: differs from the Idempotency-Key"):
        choose_key("one", "other")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"70150.5", "70150.5"),
        (b'"70150.50"', "70150.50"),
        (b"-1", "-1"),
        (b"1e999999999", "1e999999999"),
        (b'"\\u0031.5"', "1.5"),
        (b'"\xff"', "\ufffd"),
        (b'""', ""),
        (b"null", None),
    ],
)
def test_numbers_stay_text(raw: bytes, text: str | None) -> None:
    assert number_text("price", Raw(raw)) == text


def test_absent_number() -> None:
    assert number_text("price", UNSET) is None


@pytest.mark.parametrize(
    ("raw", "word"),
    [(b"true", "true"), (b"false", "false"), (b"[1]", "an array"), (b"{}", "an ob")],
)
def test_what_is_no_number_is_named(raw: bytes, word: str) -> None:
    with pytest.raises(InvalidField, match=f"^quantity: must be a number .* not {word}"):
        number_text("quantity", Raw(raw))


def test_broken_escape_in_a_decimal_string() -> None:
    with pytest.raises(InvalidField, match=r"^price: must be a number or a decimal string$"):
        number_text("price", Raw(b'"\\ud800"'))


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("1000", 1000), ("007", 7)])
def test_integers(text: str, value: int) -> None:
    assert integer("limit", text, 1, 1000) == value


@pytest.mark.parametrize(
    "text",
    ["", "0", "1001", "-1", "+1", "1.0", "1e2", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 5000, " 1"],
)
def test_no_integers(text: str) -> None:
    with pytest.raises(InvalidField, match="limit: must be a whole number from 1 to 1000"):
        integer("limit", text, 1, 1000)


def test_choices() -> None:
    assert choices("status", "open,filled", ("open", "filled", "x")) == {"open", "filled"}


@pytest.mark.parametrize("text", ["", "open,", "Open", "open, filled"])
def test_no_choices(text: Any) -> None:
    with pytest.raises(InvalidField, match="status: must be one or more"):
        choices("status", text, ("open", "filled"))
