"""WebSocket frames (RFC 6455): what a client sent, strictly; what a server sends, in bytes.

Reading is done here and not by wsproto because it stands on the path of every order: about a
microsecond a frame instead of ten. The rules are those of RFC 6455, sections 5 and 7; there are no
extensions.
"""

from typing import Final, NamedTuple

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011

CONTROL_BYTES_MAX: Final = 125
CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})

_FINAL: Final = 0x80
_RESERVED: Final = 0x70
_MASKED: Final = 0x80


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
    """Takes bytes as they come, gives whole messages.

    It holds what was fed and not yet read, and of a message in fragments at most
    `message_bytes_max`.
    """

    __slots__ = ("_buffer", "_bytes_max", "_fragments", "_opcode", "_position")

    def __init__(self, message_bytes_max: int) -> None:
        self._bytes_max: Final = message_bytes_max
        self._buffer = b""
        self._position = 0
        self._opcode = CONTINUATION
        self._fragments: Final = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        if self._position < len(self._buffer):
            data = self._buffer[self._position :] + data
        self._buffer, self._position = data, 0

    def next(self) -> Message | None:
        """The next message; None if it is not whole yet. Raises `Violation`; it is done then."""
        buffer, end = self._buffer, len(self._buffer)
        while end - self._position >= 2:
            position = self._position
            first, second = buffer[position], buffer[position + 1]
            start, length = position + 2, second & 0x7F
            if length >= 126:
                start += 2 if length == 126 else 8
                if start > end:
                    return None
                length = _long_length(buffer[position + 2 : start])
            if not second & _MASKED:
                raise Violation(PROTOCOL_ERROR, "a client's frames are masked")
            opcode = first & 0x0F
            self._check(first, opcode, length)
            body = start + 4
            if body + length > end:
                return None
            self._position = body + length
            payload = _unmask(buffer[start:body], buffer[body : self._position])
            if opcode >= CLOSE or (first & _FINAL and opcode):
                return Message(opcode, payload)
            if (message := self._fragment(first, opcode, payload)) is not None:
                return message
        return None

    def _check(self, first: int, opcode: int, length: int) -> None:
        """Refuse what no further byte can mend."""
        if first & _RESERVED:
            raise Violation(PROTOCOL_ERROR, "reserved bits are set")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise Violation(PROTOCOL_ERROR, f"opcode {opcode} is not known")
            if not first & _FINAL or length > CONTROL_BYTES_MAX:
                raise Violation(PROTOCOL_ERROR, "a control frame is whole and short")
        elif opcode > BINARY:
            raise Violation(PROTOCOL_ERROR, f"opcode {opcode} is not known")
        elif (opcode == CONTINUATION) != bool(self._opcode):
            raise Violation(PROTOCOL_ERROR, "a fragment is missing or out of place")
        elif len(self._fragments) + length > self._bytes_max:
            raise Violation(TOO_BIG, f"a message has at most {self._bytes_max} bytes")

    def _fragment(self, first: int, opcode: int, payload: bytes) -> Message | None:
        """Take one fragment; the message, if it was the last one."""
        self._opcode = self._opcode or opcode
        self._fragments.extend(payload)
        if not first & _FINAL:
            return None
        message = Message(self._opcode, bytes(self._fragments))
        self._opcode = CONTINUATION
        self._fragments.clear()
        return message


def _long_length(digits: bytes) -> int:
    """A length that did not fit seven bits, in as few bytes as can be (RFC 6455, 5.2)."""
    length = int.from_bytes(digits, "big")
    if length < (126 if len(digits) == 2 else 65_536) or length >> 63:
        raise Violation(PROTOCOL_ERROR, "a length is not written as it must be")
    return length


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
        return bytes((_FINAL | opcode, size)) + payload
    if size < 65_536:
        return b"%c\x7e%b%b" % (_FINAL | opcode, size.to_bytes(2, "big"), payload)
    return b"%c\x7f%b%b" % (_FINAL | opcode, size.to_bytes(8, "big"), payload)


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; the ASCII `reason` is cut to what fits."""
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
