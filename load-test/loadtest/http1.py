"""Requests to bytes and bytes to replies: as much of HTTP/1.1 as exchanges speak."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_length = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_retry_after = re.compile(rb"(?i)\r\nretry-after: *\d")


class RequestWriter:
    """Makes the request for the order number n: the bodies in turn, each with a key if wanted.

    The bytes around the key are made beforehand: a request costs a formatting and a join.
    """

    def __init__(
        self, host: str, bodies: Sequence[str], *, path: str = "/orders", key_prefix: str = ""
    ) -> None:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )
        self._keyed = bool(key_prefix)
        self._parts: list[tuple[bytes, bytes]] = []
        for body in bodies:
            before, after = "", body
            if key_prefix:
                before, after = f'{{"idempotency_key":"{key_prefix}-', f'",{body[1:]}'
            length = len(before.encode()) + 12 * self._keyed + len(after.encode())
            self._parts.append((f"{head}{length}\r\n\r\n{before}".encode(), after.encode()))

    def request(self, number: int) -> bytes:
        """The request of order `number`; its key is the prefix and that number."""
        before, after = self._parts[number % len(self._parts)]
        if self._keyed:
            return b"%b%012d%b" % (before, number, after)
        return before + after


class Replied(NamedTuple):
    """A reply's status, and whether it says when to come back."""

    status: int
    retry_after: bool


class NotHttp(Exception):
    """What came is no reply that this client understands."""


def take_replies(data: bytes) -> tuple[list[Replied], bytes]:
    """The whole replies at the beginning of `data`, and what is left. Raises `NotHttp`."""
    replies: list[Replied] = []
    position, length = 0, len(data)
    while (end := data.find(b"\r\n\r\n", position)) >= 0:
        content = _length.search(data, position, end + 2)
        if content is None:
            raise NotHttp(f"a reply without Content-Length: {data[position:end][:200]!r}")
        following = end + 4 + int(content[1])
        if following > length:
            break
        status = int(data[position + 9 : position + 12])
        later = status in (429, 503) and _retry_after.search(data, position, end + 2) is not None
        replies.append(Replied(status, later))
        position = following
    return replies, data[position:]
