"""What a server sent on one connection, read strictly, and whether it may say that.

A response to HEAD has no body; as nobody can tell what a mangled request was, a body may be absent
wherever the client has sent the word. After 101 frames follow.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

PROBLEM_JSON: Final = "application/problem+json"
JSON: Final = "application/json"
BODILESS: Final = (100, 204, 304)
SWITCHING: Final = 101
UNAVAILABLE: Final = 503
FAULT: Final = "internal_error"
CONTINUE: Final = 100
TEXT: Final = 1
CLOSE: Final = 8
SERVER_OPCODES: Final = (TEXT, CLOSE, 9, 10)

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) [\x20-\x7e]*")
_HEADER = re.compile(rb"([!#-'*+.0-9A-Z^-z|~-]+):[ \t]*([\x20-\x7e\t]*)")


class Wrong(Exception):
    """The server said what it must not say; the text tells what."""


class Cut(Exception):
    """The bytes end before the response does."""


class Reply(Struct, frozen=True):
    """One response, or a WebSocket's message as one. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    head_only: bool = False


def read_replies(data: bytes, *, may_be_head: bool) -> tuple[list[Reply], bool]:
    """All responses in `data`, and whether the last is cut off. Raises `Wrong`."""
    replies: list[Reply] = []
    while data:
        try:
            reply, data = _read_one(data, may_be_head=may_be_head)
        except Cut:
            return replies, True
        replies.append(reply)
        if reply.status == SWITCHING:
            messages, cut = _read_frames(data)
            return replies + messages, cut
    return replies, False


def _read_one(data: bytes, *, may_be_head: bool) -> tuple[Reply, bytes]:
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        if not (b"HTTP/1.1 ".startswith(data[:9]) or data.startswith(b"HTTP/1.1 ")):
            raise Wrong(f"no HTTP: {data[:100]!r}")
        raise Cut
    first, *lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise Wrong(f"no status line: {first[:100]!r}")
    status, headers = int(match[1]), _read_headers(lines)
    if status in BODILESS or status == SWITCHING:
        return Reply(status, headers, b"", head_only=True), rest
    if may_be_head and (not rest or rest.startswith(b"HTTP/1.1 ")):
        return Reply(status, headers, b"", head_only=True), rest
    if "transfer-encoding" in headers or not headers.get("content-length", "").isdigit():
        raise Wrong(f"a body of unknown length: {head[:300]!r}")
    size = int(headers["content-length"])
    if len(rest) < size:
        raise Cut
    return Reply(status, headers, rest[:size]), rest[size:]


def _read_headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise Wrong(f"no header: {line[:100]!r}")
        name = match[1].decode().lower()
        if name in headers:
            raise Wrong(f"a header twice: {name}")
        headers[name] = match[2].decode().rstrip()
    return headers


def _read_frames(data: bytes) -> tuple[list[Reply], bool]:
    """The texts of a WebSocket as replies, and whether the last frame is cut off."""
    messages: list[Reply] = []
    while data:
        if len(data) < 2:
            return messages, True
        opcode, size, start = data[0] & 0x0F, data[1], 2
        if data[0] & 0xF0 != 0x80 or opcode not in SERVER_OPCODES or size > 127:
            raise Wrong(f"no frame of a server: {data[:20]!r}")
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            return messages, True
        payload, data = data[start : start + size], data[start + size :]
        if opcode == TEXT:
            messages.append(_message(payload))
        elif opcode == CLOSE:
            if data:
                raise Wrong(f"bytes after the close frame: {data[:100]!r}")
            if payload[:2] == b"\x03\xf3":
                raise Wrong(f"a fault closed the WebSocket: {payload!r}")
    return messages, False


def _message(payload: bytes) -> Reply:
    told = _json(payload)
    if not isinstance(told, dict) or not str(told.get("status")).isdigit():
        raise Wrong(f"a message without a status: {payload[:200]!r}")
    kind = PROBLEM_JSON if "code" in told else JSON
    return Reply(int(told["status"]), {"content-type": kind}, payload)


def judge(reply: Reply) -> None:
    """Raises `Wrong` for a 5xx but 503, for a fault of the server, for a problem without a name."""
    if reply.status >= 500 and reply.status != UNAVAILABLE:
        raise Wrong(f"status {reply.status}: {reply.body[:200]!r}")
    if reply.head_only:
        return
    kind = reply.headers.get("content-type", "")
    if reply.status < 400:
        if kind == JSON:
            _json(reply.body)
        return
    if kind != PROBLEM_JSON:
        raise Wrong(f"status {reply.status} as {kind!r}: {reply.body[:200]!r}")
    told = _json(reply.body)
    if not isinstance(told, dict):
        raise Wrong(f"no problem: {reply.body[:200]!r}")
    if told.get("name") == FAULT:
        raise Wrong(f"a fault: {reply.body[:200]!r}")
    named = str(told.get("code")).isdigit() and told.get("name") and told.get("detail")
    if not named or told.get("status") != str(reply.status):
        raise Wrong(f"a problem without its name: {reply.status} {reply.body[:200]!r}")


def _json(text: bytes) -> Any:
    """Any JSON; an `id` that a client gave comes back as it was, however large a number it is."""
    try:
        return json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"no JSON, {error}: {text[:200]!r}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
