"""An answer as it came, before anyone has looked into it, and how it is read."""

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
        return read(self.body, kind)

    def problem(self) -> Problem | None:
        """Why it was refused; None if whoever answers speaks another language: a proxy, say."""
        try:
            return msgspec.json.decode(self.body, type=Problem)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


def read(text: bytes | str, kind: type[T] | Any) -> T:
    """`text`, which must be a `kind` in JSON. Raises `NotUnderstood`."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstood(f"{error}: {text[:SHOWN_BYTES]!r}") from error
