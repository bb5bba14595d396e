"""A request's head, read by llhttp, and whether the front door answers such a request itself."""

from contextlib import suppress
from typing import Final, Literal, TypeAlias

import httptools
from msgspec import Struct

Hot: TypeAlias = Literal["place", "cancel", "delete", "amend", "batch", "order_socket", "stream"]

LENGTH_DIGITS_MAX: Final = 9
SOCKETS: Final[dict[bytes, Hot]] = {b"/ws/orders": "order_socket", b"/stream": "stream"}
WEBSOCKET_KEY_BYTES: Final = 24
HEADS_MAX: Final = 1024
HEAD_BYTES_MAX: Final = 1024
"""Longer heads are read anew each time."""

END: Final = b"\r\n\r\n"
BARE_ENDS: Final = (b"\n\n", b"\n\r\n")
"""With these some end a head. Whether that will do is for the door behind to say."""

BLANKS: Final = b" \t"
_ORDERS: Final = b"/orders/"
_CANCEL: Final = b"/cancel"


class Head(Struct, frozen=True, gc=False):
    """A request that the front door answers. `length` of the body in bytes.

    `alone`: it can't be begun while another of its connection is under way, nor the next with it.
    """

    route: Hot
    length: int
    order_id: str = ""
    key: str | None = None
    websocket_key: bytes = b""
    alone: bool = False


class _Lines:
    """What llhttp found in a head."""

    __slots__ = ("headers", "target", "whole")

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.whole = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.whole = True


class Heads:
    """Reads heads, and remembers those that come again and again: a client's are all alike."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: Final[dict[bytes, Head]] = {}

    def read(self, data: bytes) -> Head | None:
        """As `read_head`."""
        known = self._known.get(data)
        if known is not None:
            return known
        head = read_head(data)
        if head is not None and head.route in ("place", "batch") and head.key is None:
            if len(self._known) >= HEADS_MAX:
                self._known.clear()
            if len(data) <= HEAD_BYTES_MAX:
                self._known[data] = head
        return head


def is_hopeless(data: bytes) -> bool:
    """Whether what begins with `data`, which has no `END`, can't become a head for here."""
    return data[0] <= 0x20 or any(end in data for end in BARE_ENDS)


def read_head(data: bytes) -> Head | None:
    """The head in `data`, which ends with an empty line; None if the request is not for here.

    Hot is plain order entry over HTTP/1.1 with keep-alive: no query, no chunked body, nothing
    that is there twice. All else, malformed heads too, is for the door behind. What is for here
    reads the same there: llhttp takes blank lines before a request and blanks within its first.
    """
    lines = _Lines()
    parser = httptools.HttpRequestParser(lines)
    try:
        with suppress(httptools.HttpParserUpgrade):
            parser.feed_data(data)
    except httptools.HttpParserError:
        return None
    if not lines.whole:
        return None
    method = parser.get_method()
    if not data.startswith(b"%b %b HTTP/1.1\r\n" % (method, lines.target)):
        return None
    if method == b"GET" and lines.target in SOCKETS:
        return _handshake(SOCKETS[lines.target], lines.headers)
    route = _route(method, lines.target)
    if route is None:
        return None
    return _with_headers(route[0], route[1], lines.headers)


def _handshake(route: Hot, lines: list[tuple[bytes, bytes]]) -> Head | None:
    """The head of a WebSocket handshake (RFC 6455, 4.2.1), if it is a proper one."""
    headers = {name.lower(): value for name, value in lines}
    key = headers.get(b"sec-websocket-key", b"")
    upgrades = b"upgrade" in headers.get(b"connection", b"").lower().replace(b" ", b"").split(b",")
    if (
        len(headers) != len(lines)
        or not upgrades
        or b"host" not in headers
        or b"content-length" in headers
        or b"transfer-encoding" in headers
        or headers.get(b"upgrade", b"").lower() != b"websocket"
        or headers.get(b"sec-websocket-version") != b"13"
        or len(key) != WEBSOCKET_KEY_BYTES
    ):
        return None
    return Head(route, 0, websocket_key=key, alone=True)


def _route(method: bytes, target: bytes) -> tuple[Hot, str] | None:
    if method == b"POST":
        if target == b"/orders":
            return "place", ""
        if target == b"/orders/batch":
            return "batch", ""
        if target.startswith(_ORDERS) and target.endswith(_CANCEL):
            return _with_id("cancel", target[len(_ORDERS) : -len(_CANCEL)])
    elif target.startswith(_ORDERS):
        if method == b"DELETE":
            return _with_id("delete", target[len(_ORDERS) :])
        if method == b"PATCH":
            return _with_id("amend", target[len(_ORDERS) :])
    return None


def _with_id(route: Hot, segment: bytes) -> tuple[Hot, str] | None:
    """The route of an order, if its id stands in the path as it is."""
    if not segment or any(char in segment for char in b"%?/") or not segment.isascii():
        return None
    return route, segment.decode()


def _with_headers(route: Hot, order_id: str, headers: list[tuple[bytes, bytes]]) -> Head | None:
    length = key = None
    host = False
    for name, value in headers:
        match name.lower():
            case b"content-length":
                if length is not None or not value.isdigit() or len(value) > LENGTH_DIGITS_MAX:
                    return None
                length = int(value)
            case b"idempotency-key":
                if key is not None or not value.isascii():
                    return None
                key = value.rstrip(BLANKS).decode()
            case b"host":
                if host:
                    return None
                host = True
            case b"connection":
                if value.lower() != b"keep-alive":
                    return None
            case b"transfer-encoding" | b"expect" | b"upgrade":
                return None
            case _:
                pass
    if not host:
        return None
    return Head(route, length or 0, order_id, key, alone=route in ("amend", "batch"))
