"""Replies as HTTP/1.1 responses, in bytes."""

from email.utils import formatdate
from http import HTTPStatus
from time import time
from typing import Final

from tradeclear.gateway.problems import Reply

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class Beginnings:
    """Responses up to the length of their bodies: made once a second, for the `Date` in them."""

    __slots__ = ("_known", "_second_end")

    def __init__(self) -> None:
        self._second_end = 0.0
        self._known: Final[dict[tuple[int, str], bytes]] = {}

    def of(self, status: int, content_type: str) -> bytes:
        """The beginning of a response sent now."""
        now = time()
        if not self._second_end - 1 <= now < self._second_end:
            self._known.clear()
            self._second_end = int(now) + 1.0
        known = self._known.get((status, content_type))
        if known is None:
            date = formatdate(int(now), usegmt=True)
            lines = f"content-type: {content_type}\r\ndate: {date}\r\ncontent-length: "
            known = self._known[status, content_type] = _STATUS_LINES[status] + lines.encode()
        return known


_beginnings: Final = Beginnings()


def response(reply: Reply, headers: bytes = b"") -> bytes:
    """The response that carries `reply`; `headers` are whole lines, with their ends."""
    for name, value in reply.headers:
        headers += f"{name.lower()}: {value}\r\n".encode()
    body = reply.body
    return b"%b%d\r\n%b\r\n%b" % (
        _beginnings.of(reply.status, reply.content_type),
        len(body),
        headers,
        body,
    )
