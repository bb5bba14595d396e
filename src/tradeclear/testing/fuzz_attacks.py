"""One attack: what a client sends on a connection, and how it ends it. Seed and number make it."""

from collections.abc import Callable
from random import Random
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from tradeclear.testing.fuzz_bodies import Fields, hostile_body
from tradeclear.testing.fuzz_heads import (
    chunked,
    large_head,
    mutated,
    strange_headers,
    strange_length,
    strange_line,
)
from tradeclear.testing.fuzz_orders import (
    amend_fields,
    order_fields,
    proper_request,
    recent,
    request,
)
from tradeclear.testing.fuzz_sockets import conversation

Ending: TypeAlias = Literal["half_close", "wait", "reset", "leave"]
"""Stop sending and read to the end; send no more and wait for the server to end it; take the
connection down with a reset; or close it without reading."""

_ENDINGS: Final[tuple[Ending, ...]] = ("half_close", "wait", "reset", "leave")

PIPELINE_MAX: Final = 30
LONG_PIPELINE: Final = 400


class Attack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent, in pieces. `replies`: so many responses must come, if that is known."""

    kind: str
    number: int
    sends: tuple[bytes, ...]
    ending: Ending = "half_close"
    replies: int | None = None


def draw_attack(seed: int, number: int, share: float) -> Attack:
    """Attack `number`; a `share` of all are proper requests."""
    draw = Random(f"{seed}:{number}")
    if draw.random() < share:
        data = (proper_request(draw, number),)
        return Attack(kind="proper", number=number, sends=data, replies=1)
    kind = draw.choices(_NAMES, _WEIGHTS)[0]
    return _KINDS[kind][1](draw, kind, number)


def _whole(make: Callable[[Random, int], bytes]) -> Callable[[Random, str, int], Attack]:
    """An attack that sends what `make` gives, at once or in two pieces."""

    def draw_whole(draw: Random, kind: str, number: int) -> Attack:
        data = make(draw, number)
        sends: tuple[bytes, ...] = (data,)
        if draw.random() < 0.2:
            cut = draw.randrange(len(data) + 1)
            sends = (data[:cut], data[cut:])
        return Attack(kind=kind, number=number, sends=sends, ending=_ending(draw))

    return draw_whole


def _ending(draw: Random) -> Ending:
    return draw.choices(_ENDINGS, (90, 1, 5, 4))[0]


def _body(draw: Random, kind: str, number: int) -> Attack:
    """Proper HTTP with a hostile body gets one answer, whatever is in it."""
    fields: Fields
    chance = draw.random()
    method, target = b"POST", b"/orders"
    if chance < 0.7:
        fields = order_fields(draw, number)
        if chance > 0.6:
            target = b"/orders/batch"
    elif chance < 0.85:
        method, target = b"PATCH", b"/orders/" + recent(draw, number)
        fields = amend_fields(draw)
    else:
        target = b"/orders/%b/cancel" % recent(draw, number)
        fields = {b"client_id": b'"fuzz-1"'}
    data = request(method, target, hostile_body(draw, fields))
    return Attack(kind=kind, number=number, sends=(data,), replies=1)


def _pipeline(draw: Random, kind: str, number: int) -> Attack:
    """Many proper requests at once: as many answers."""
    count = LONG_PIPELINE if draw.random() < 0.02 else draw.randint(2, PIPELINE_MAX)
    requests = [proper_request(draw, number) for _ in range(count)]
    if draw.random() < 0.5:
        return Attack(kind=kind, number=number, sends=(b"".join(requests),), replies=count)
    return Attack(kind=kind, number=number, sends=tuple(requests), replies=count)


def _half(draw: Random, kind: str, number: int) -> Attack:
    """A request that is never whole."""
    make = draw.choice((proper_request, strange_headers, chunked, mutated))
    data = make(draw, number)
    ending = draw.choices(_ENDINGS, (50, 4, 26, 20))[0]
    return Attack(
        kind=kind, number=number, sends=(data[: draw.randrange(len(data))],), ending=ending
    )


def _socket(draw: Random, kind: str, number: int) -> Attack:
    """Nobody waits for the end of an open WebSocket: that takes two pings."""
    sends = tuple(conversation(draw, number))
    ending = draw.choices(_ENDINGS, (90, 0, 6, 4))[0]
    return Attack(kind=kind, number=number, sends=sends, ending=ending)


_KINDS: Final[dict[str, tuple[int, Callable[[Random, str, int], Attack]]]] = {
    "body": (30, _body),
    "mutated": (20, _whole(mutated)),
    "headers": (12, _whole(strange_headers)),
    "length": (6, _whole(strange_length)),
    "line": (8, _whole(strange_line)),
    "large_head": (1, _whole(large_head)),
    "chunked": (6, _whole(chunked)),
    "pipeline": (3, _pipeline),
    "half": (5, _half),
    "socket": (9, _socket),
}
"""Kind to its weight and its maker."""

_NAMES: Final = tuple(_KINDS)
_WEIGHTS: Final = tuple(weight for weight, _ in _KINDS.values())
