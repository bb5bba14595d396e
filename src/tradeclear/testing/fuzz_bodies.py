"""Bodies that attack: a proper one with something wrong in it, or no JSON at all."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final, TypeAlias

from tradeclear.testing.fuzz_values import NUMBERS, hostile_value, nested

Fields: TypeAlias = dict[bytes, bytes]

DEPTH_MAX: Final = 100_000
REPEATS_MAX: Final = 2_000
NAMES: Final = (
    *(b"client_id", b"side", b"quantity", b"order_id", b"instrument", b"type", b"price", b"op"),
    *(b"time_in_force", b"post_only", b"self_trade_prevention", b"idempotency_key", b"id"),
    *(b"orders", b"surprise", b"", b"__class__", b"\\u0000", b"\\ud800", b"\xff", b"a" * 5_000),
)
WHOLE: Final = (
    *(b"", b" ", b"{", b"}", b"[", b"]", b"null", b"1", b'"a"', b"[]", b"[{}]", b"{}{}", b"\x00"),
    *(b"\xff\xfe", b"{'a':1}", b'{"a":1,}', b'{"a"}', b"{a:1}", b'{"orders":1}', b'{"orders":[1]}'),
    *(b"[" + b"{}," * 1_000 + b"{}]", b"[1,2,3]", b"[[[]]]", b"\x1f\x8b\x08\x00", b"a=1&b=2"),
)


def json_object(fields: Mapping[bytes, bytes]) -> bytes:
    """Names and values as they are, between braces."""
    return b"{" + b",".join(b'"%b":%b' % item for item in fields.items()) + b"}"


def hostile_body(draw: Random, fields: Fields) -> bytes:
    """What became of `fields`, a proper body's."""
    return draw.choice(_WAYS)(draw, fields)


def _wrong_value(draw: Random, fields: Fields) -> bytes:
    return json_object({**fields, draw.choice(list(fields)): hostile_value(draw)})


def _wrong_number(draw: Random, fields: Fields) -> bytes:
    return json_object({**fields, draw.choice((b"price", b"quantity")): draw.choice(NUMBERS)})


def _field_more(draw: Random, fields: Fields) -> bytes:
    return json_object({**fields, draw.choice(NAMES): hostile_value(draw)})


def _field_less(draw: Random, fields: Fields) -> bytes:
    gone = draw.choice(list(fields))
    return json_object({name: value for name, value in fields.items() if name != gone})


def _twice(draw: Random, fields: Fields) -> bytes:
    """The same names again and again; the last wins, at both doors."""
    name = draw.choice(list(fields))
    value = draw.choice((fields[name], hostile_value(draw)))
    again = b'"%b":%b,' % (name, value) * draw.choice((1, 2, REPEATS_MAX))
    return b"{" + again[:1_000_000].rstrip(b",") + b"," + json_object(fields)[1:]


def _encoded_otherwise(draw: Random, fields: Fields) -> bytes:
    text = json_object(fields).decode()
    encoding = draw.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-7"))
    return text.encode(encoding)


def _deep(draw: Random, fields: Fields) -> bytes:
    depth = draw.choice((50, 1_000, 5_000, DEPTH_MAX if draw.random() < 0.2 else 200))
    if draw.random() < 0.5:
        return nested(draw, depth)
    return json_object({**fields, draw.choice((b"price", b"surprise", b"id")): nested(draw, depth)})


def _flipped(draw: Random, fields: Fields) -> bytes:
    data = bytearray(json_object(fields))
    for _ in range(draw.randint(1, 4)):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data)


def _cut(draw: Random, fields: Fields) -> bytes:
    data = json_object(fields)
    return data[: draw.randrange(len(data))]


def _in_array(draw: Random, fields: Fields) -> bytes:
    elements = [_wrong_value(draw, fields) for _ in range(draw.randint(1, 5))]
    return b"[" + b",".join(elements) + b"]"


def _whole(draw: Random, fields: Fields) -> bytes:
    return draw.choice(WHOLE)


def _blanks(draw: Random, fields: Fields) -> bytes:
    return draw.choice((b" ", b"\n\t", b"\r\n", b"\x0b", b"\xc2\xa0")) * 9 + json_object(fields)


def _noise(draw: Random, fields: Fields) -> bytes:
    return draw.randbytes(draw.choice((1, 20, 3_000)))


_WAYS: Final[tuple[Callable[[Random, Fields], bytes], ...]] = (
    *(_wrong_value, _wrong_value, _wrong_value, _wrong_number, _wrong_number, _field_more),
    *(_field_less, _twice, _encoded_otherwise, _deep, _flipped, _cut, _in_array, _whole, _blanks),
    _noise,
)
