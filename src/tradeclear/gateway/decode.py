"""Bytes to request structs, and what is wrong with those that can't be."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar, get_args

import msgspec

from tradeclear.gateway.problems import MALFORMED_BODY, Kind
from tradeclear.gateway.requests import (
    AmendElement,
    AmendRequest,
    BatchRequest,
    CancelElement,
    CancelRequest,
    PlaceRequest,
)
from tradeclear.model.errors import InvalidField, TradeclearError
from tradeclear.model.order import OrderType, SelfTradePrevention, Side, TimeInForce

T = TypeVar("T")

FIELD_CHARS_SHOWN: Final = 64

_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "side": get_args(Side),
    "type": get_args(OrderType),
    "time_in_force": get_args(TimeInForce),
    "self_trade_prevention": get_args(SelfTradePrevention),
    "op": ("place", "cancel", "amend"),
}
_WORDS: Final[dict[str, str]] = {
    "str": "a string",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "null": "null",
    "array": "an array",
    "object": "an object",
}
_TYPE_PROBLEM = re.compile(r"Expected `([^`]+)`, got `([^`]+)`(?: - at `\$\.(\w+)`)?")
_OUT_OF_RANGE = re.compile(r"Number out of range(?: - at `\$\.(\w+)`)?")
_UNKNOWN: Final = "Object contains unknown field `"
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_CHOICE = re.compile(r"Invalid enum value .* - at `\$\.(\w+)`", re.DOTALL)


class RequestRefused(TradeclearError):
    """The request can't be served as it is: `kind` and `detail` say why."""

    def __init__(self, kind: Kind, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.field = field


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """A function from JSON to `kind`; raises `InvalidField` or `RequestRefused`."""
    decode = msgspec.json.Decoder(kind).decode

    def read(body: bytes) -> T:
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            raise _explain(str(error)) from None
        except UnicodeDecodeError:
            raise RequestRefused(MALFORMED_BODY, "the body is not valid UTF-8") from None
        except msgspec.DecodeError as error:
            raise RequestRefused(MALFORMED_BODY, _malformed(body, str(error))) from None
        except RecursionError:
            raise RequestRefused(MALFORMED_BODY, "the body is nested too deeply") from None

    return read


def _malformed(body: bytes, problem: str) -> str:
    if not body.strip():
        return "the body is empty: a JSON object is expected"
    if problem.startswith("JSON is malformed"):
        return problem
    return "JSON is malformed: it ends too early"


def _explain(problem: str) -> TradeclearError:
    """The decoder's message as one that names the field. User's text in it is never parsed."""
    if problem.startswith(_UNKNOWN):
        field = problem[len(_UNKNOWN) : -1][:FIELD_CHARS_SHOWN]
        return InvalidField(field, "is not a field of this request")
    if match := _MISSING.fullmatch(problem):
        return InvalidField(match[1], "is required")
    if match := _CHOICE.fullmatch(problem):
        return InvalidField(match[1], f"must be one of {list(_CHOICES[match[1]])}")
    if match := _TYPE_PROBLEM.fullmatch(problem):
        wanted = " or ".join(_WORDS.get(word, word) for word in match[1].split(" | "))
        got = _WORDS.get(match[2], match[2])
        if match[3] is not None:
            return InvalidField(match[3], f"must be {wanted}, not {got}")
        return RequestRefused(MALFORMED_BODY, f"the body must be {wanted}, not {got}")
    if (match := _OUT_OF_RANGE.fullmatch(problem)) and match[1] is not None:
        return InvalidField(match[1], "is a number beyond every range")
    return RequestRefused(MALFORMED_BODY, "the body is not what this route takes")


read_place: Final = reader(PlaceRequest)
read_cancel: Final = reader(CancelRequest)
read_amend: Final = reader(AmendRequest)
read_cancel_element: Final = reader(CancelElement)
read_amend_element: Final = reader(AmendElement)
_read_batch: Final = reader(BatchRequest)
read_array: Final = reader(list[msgspec.Raw])


class _Places(msgspec.Struct, forbid_unknown_fields=True):
    orders: list[PlaceRequest]


_decode_places: Final = msgspec.json.Decoder(_Places).decode
_decode_place_array: Final = msgspec.json.Decoder(list[PlaceRequest]).decode


def read_places(body: bytes) -> list[PlaceRequest] | None:
    """The elements of a batch of proper new orders and nothing else, all read at once.

    None for every other batch: its elements are looked at one by one (`read_batch`).
    """
    try:
        if body.lstrip()[:1] == b"[":
            return _decode_place_array(body)
        return _decode_places(body).orders
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class _Op(msgspec.Struct):
    op: Any = "place"


_read_op: Final = reader(_Op)


def read_batch(body: bytes) -> list[msgspec.Raw]:
    """The elements of a batch, as `{"orders": […]}` or as the array alone, not yet looked into."""
    if body.lstrip()[:1] == b"[":
        return read_array(body)
    return _read_batch(body).orders


def read_op(data: bytes) -> str:
    """What an element asks for: "place" if it does not say. Raises `InvalidField`."""
    if b'"op"' not in data and b"\\" not in data:
        return "place"
    op = _read_op(data).op
    if op not in _CHOICES["op"]:
        raise InvalidField("op", f"must be one of {list(_CHOICES['op'])}")
    return str(op)


def read_element(element: msgspec.Raw) -> PlaceRequest | CancelElement | AmendElement:
    """One element of a batch, by its `op`."""
    data = bytes(element)
    match read_op(data):
        case "cancel":
            return read_cancel_element(data)
        case "amend":
            return read_amend_element(data)
        case _:
            return read_place(data)
