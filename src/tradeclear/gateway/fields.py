"""What a text or a number in a request may look like, and what is said when it doesn't."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tradeclear.model.errors import InvalidField

ID_PATTERN: Final = "[A-Za-z0-9._:/@+=-]{1,64}"
"""Order ids and client ids. None of these characters is ever escaped in JSON."""

KEY_PATTERN: Final = "[!-~]{1,128}"
"""Idempotency keys: printable ASCII without blanks."""

KEY_HEADER: Final = "Idempotency-Key"
INTEGER_DIGITS_MAX: Final = 18

_is_id = re.compile(ID_PATTERN).fullmatch
_is_key = re.compile(KEY_PATTERN).fullmatch

_JSON_WORDS: Final[Mapping[str, str]] = {
    "t": "true",
    "f": "false",
    "[": "an array",
    "{": "an object",
}


def check_id(field: str, text: str) -> str:
    """`text`, if it can be an id. Raises `InvalidField`."""
    if _is_id(text) is None:
        raise InvalidField(field, "must be 1 to 64 characters of A-Z a-z 0-9 . _ : / @ + = -")
    return text


def check_key(field: str, text: str) -> str:
    """`text`, if it can be an idempotency key. Raises `InvalidField`."""
    if _is_key(text) is None:
        raise InvalidField(field, "must be 1 to 128 printable ASCII characters without blanks")
    return text


def choose_key(header: str | None, body: str | None) -> str | None:
    """The request's idempotency key, from either place. Raises `InvalidField` if they differ."""
    if header is None:
        return None if body is None else check_key("idempotency_key", body)
    check_key(KEY_HEADER, header)
    if body is not None and body != header:
        raise InvalidField("idempotency_key", f"differs from the {KEY_HEADER} header: give one")
    return header


def number_text(field: str, value: Raw | UnsetType) -> str | None:
    """The digits of a JSON number or of a decimal string; None if absent or null.

    The text is not checked further: that is for the instrument to do. Raises `InvalidField` for
    every other JSON value.
    """
    if value is UNSET:
        return None
    text = str(value, "utf-8", "replace")
    first = text[0]
    if first in "-0123456789":
        return text
    if first == '"':
        return _unescaped(field, text) if "\\" in text else text[1:-1]
    if first == "n":
        return None
    raise InvalidField(field, f"must be a number or a decimal string, not {_JSON_WORDS[first]}")


def _unescaped(field: str, text: str) -> str:
    try:
        return msgspec.json.decode(text, type=str)
    except msgspec.DecodeError:
        raise InvalidField(field, "must be a number or a decimal string") from None


def integer(field: str, text: str, least: int, most: int) -> int:
    """A plain integer from a query string. Raises `InvalidField`."""
    if len(text) <= INTEGER_DIGITS_MAX and text.isascii() and text.isdigit():
        value = int(text)
        if least <= value <= most:
            return value
    raise InvalidField(field, f"must be a whole number from {least} to {most}")


def choices(field: str, text: str, allowed: tuple[str, ...]) -> frozenset[str]:
    """A comma-separated list of names. Raises `InvalidField`."""
    names = frozenset(text.split(","))
    if not names.issubset(allowed):
        raise InvalidField(field, f"must be one or more, separated by commas, of {list(allowed)}")
    return names
