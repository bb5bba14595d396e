"""Replies as HTTP/1.1 responses, in bytes."""

from email.utils import formatdate
from http import HTTPStatus
from time import time
from typing import Final

from tradeclear.gateway.problems import JSON, Reply

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class Dates:
    """The `Date` header, made once a second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = 0
        self._text = b""

    def now(self) -> bytes:
        """This second's date, as HTTP writes it."""
        second = int(time())
        if second != self._second:
            self._second = second
            self._text = formatdate(second, usegmt=True).encode()
        return self._text


_dates: Final = Dates()


def response(reply: Reply, headers: bytes = b"") -> bytes:
    """The response that carries `reply`; `headers` are whole lines, with their ends."""
    for name, value in reply.headers:
        headers += f"{name.lower()}: {value}\r\n".encode()
    kind = b"application/json" if reply.content_type == JSON else reply.content_type.encode()
    return b"%bcontent-type: %b\r\ncontent-length: %d\r\ndate: %b\r\n%b\r\n%b" % (
        _STATUS_LINES[reply.status],
        kind,
        len(reply.body),
        _dates.now(),
        headers,
        reply.body,
    )
