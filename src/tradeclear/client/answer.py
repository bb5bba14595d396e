"""An answer as it came, before anyone has looked into it, and how it is read."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from tradeclear.client.errors import NotUnderstood
from tradeclear.client.problem import Problem

T = TypeVar("T")

GATEWAY_STATUSES: Final = frozenset({500, 502, 503, 504})
"""What stands between says these when it lost the exchange."""

SHOWN_BYTES: Final = 200
"""So much of what is not understood is shown."""


class Answer(Struct, frozen=True):
    """A status, as HTTP has them, and a JSON text."""

    status: int
    body: bytes
    replayed: bool = False

    @property
    def done(self) -> bool:
        """Whether it was done, and not refused."""
        return 200 <= self.status < 300

    def read(self, kind: type[T]) -> T:
        """What it says. Raises `NotUnderstood`."""
        told: T = read(self.body, kind)
        return told

    def problem(self) -> Problem | None:
        """Why it was refused; None if whoever answers speaks another language: a proxy, say."""
        try:
            return msgspec.json.decode(self.body, type=Problem)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


def read(text: bytes | str, kind: Any) -> Any:
    """`text`, which must be a `kind` in JSON. Raises `NotUnderstood`."""
    return reader(kind)(text)


@cache
def reader(kind: Any) -> Callable[[bytes | str], Any]:
    """`read` for one kind.

    Where it counts, make it when the program begins: a Ctrl-C that comes while msgspec looks into
    a kind is lost.
    """
    decode = msgspec.json.Decoder(kind).decode

    def read_kind(text: bytes | str) -> Any:
        try:
            return decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NotUnderstood(f"{error}: {text[:SHOWN_BYTES]!r}") from error

    return read_kind
