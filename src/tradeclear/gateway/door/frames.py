"""WebSocket frames (RFC 6455): what a client sent, strictly; what a server sends, in bytes.

Reading is done here and not by wsproto because it stands on the path of every order: about a
microsecond a frame instead of ten. The rules are those of RFC 6455, sections 5 and 7; there are no
extensions.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED_DATA: Final = 1003
INVALID_DATA: Final = 1007
POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009

CONTROL_BYTES_MAX: Final = 125
CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})


class Message(NamedTuple):
    """A whole message (`TEXT`, `BINARY`) or a control frame (`CLOSE`, `PING`, `PONG`)."""

    opcode: int
    payload: bytes


class Violation(Exception):
    """The client broke the protocol: close with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class FrameReader:
    """Takes bytes as they come, gives whole messages."""

    __slots__ = ("_buffer", "_bytes_max", "_fragments", "_opcode", "_size")

    def __init__(self, message_bytes_max: int) -> None:
        self._bytes_max: Final = message_bytes_max
        self._buffer = b""
        self._opcode = CONTINUATION
        self._fragments: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """Give the messages that are whole now. Raises `Violation`; the reader is done then."""
        buffer = self._buffer + data if self._buffer else data
        position, end = 0, len(buffer)
        while end - position >= 2:
            first, second = buffer[position], buffer[position + 1]
            start, length = position + 2, second & 0x7F
            if length >= 126:
                start += 2 if length == 126 else 8
                if start > end:
                    break
                length = int.from_bytes(buffer[position + 2 : start], "big")
            if not second & 0x80:
                raise Violation(PROTOCOL_ERROR, "a client's frames are masked")
            opcode = first & 0x0F
            self._check(first, opcode, length)
            body = start + 4
            if body + length > end:
                break
            position = body + length
            payload = _unmask(buffer[start:body], buffer[body:position])
            if (first == 0x80 | opcode and opcode and not self._opcode) or opcode >= CLOSE:
                yield Message(opcode, payload)
            elif (message := self._fragment(first, opcode, payload)) is not None:
                yield message
        self._buffer = buffer[position:]

    def _check(self, first: int, opcode: int, length: int) -> None:
        """Refuse what no further byte can mend."""
        if first & 0x70:
            raise Violation(PROTOCOL_ERROR, "reserved bits are set")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise Violation(PROTOCOL_ERROR, f"opcode {opcode} is not known")
            if not first & 0x80 or length > CONTROL_BYTES_MAX:
                raise Violation(PROTOCOL_ERROR, "a control frame is whole and short")
        elif opcode > BINARY:
            raise Violation(PROTOCOL_ERROR, f"opcode {opcode} is not known")
        elif self._size + length > self._bytes_max:
            raise Violation(TOO_BIG, f"a message has at most {self._bytes_max} bytes")
        elif (opcode == CONTINUATION) != bool(self._opcode):
            raise Violation(PROTOCOL_ERROR, "a fragment is missing or out of place")

    def _fragment(self, first: int, opcode: int, payload: bytes) -> Message | None:
        """Take one fragment; the message, if it was the last one."""
        self._opcode = self._opcode or opcode
        self._fragments.append(payload)
        self._size += len(payload) or 1  # empty fragments count too, or there could be any number
        if not first & 0x80:
            return None
        message = Message(self._opcode, b"".join(self._fragments))
        self._opcode, self._size = CONTINUATION, 0
        self._fragments = []
        return message


def _unmask(mask: bytes, payload: bytes) -> bytes:
    size = len(payload)
    if not size or mask == b"\0\0\0\0":
        return payload
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(
        size, "little"
    )


def frame(opcode: int, payload: bytes) -> bytes:
    """A server's frame: whole, not masked."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65_536:
        return b"%c\x7e%b%b" % (0x80 | opcode, size.to_bytes(2, "big"), payload)
    return b"%c\x7f%b%b" % (0x80 | opcode, size.to_bytes(8, "big"), payload)


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; the reason is cut to what fits."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode()[: CONTROL_BYTES_MAX - 2])


def close_reply(payload: bytes) -> bytes:
    """The close frame that answers a client's with `payload`: its own code, or why not."""
    if not payload:
        return frame(CLOSE, b"")
    code = int.from_bytes(payload[:2], "big")
    valid = len(payload) >= 2 and (code in CLOSE_CODES or 3000 <= code < 5000)
    if not valid:
        return close_frame(PROTOCOL_ERROR, "no such close code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return close_frame(INVALID_DATA, "the reason is not UTF-8")
    return close_frame(code)
