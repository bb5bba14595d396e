"""WebSocket clients on `/ws/orders`: proper ones, and those that break the protocol."""

from random import Random
from typing import Final

from tradeclear.testing.fuzz_bodies import hostile_body, json_object
from tradeclear.testing.fuzz_orders import amend_fields, order_fields, order_id, recent

KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
LINES: Final = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: " + KEY,
)
LINES_WRONG: Final = (
    *(b"Connection: close", b"Upgrade: h2c", b"Sec-WebSocket-Version: 8", b"Sec-WebSocket-Key: x"),
    *(b"Sec-WebSocket-Key: " + KEY, b"Sec-WebSocket-Protocol: a, b"),
    *(b"Content-Length: 5", b"X: \xff"),
    *(b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=15", b"Origin: null"),
    *(b"Transfer-Encoding: chunked", b"Sec-WebSocket-Key: \xff", b"Upgrade: \xffwebsocket"),
    *(b"Sec-WebSocket-Extensions: " + b"a," * 500, b"Sec-WebSocket-Version: 13, 8", b"Host: y"),
)  # fmt: skip
IDS: Final = (b"1", b'"a"', b"null", b"[]", b"{}", b"1e999", b'"' + b"a" * 65 + b'"', b'"\\ud800"')


def handshake(draw: Random | None = None) -> bytes:
    """A proper one; with `draw`, one with something wrong in it."""
    target, lines = b"/ws/orders", list(LINES)
    if draw is not None:
        for _ in range(draw.randint(1, 2)):
            match draw.randrange(4):
                case 0 if lines:
                    lines.pop(draw.randrange(len(lines)))
                case 1:
                    target = draw.choice((b"/ws", b"/orders", b"/ws/orders/", b"/ws/orders?a=b"))
                case _:
                    lines.insert(draw.randint(0, len(lines)), draw.choice(LINES_WRONG))
    return b"\r\n".join([b"GET %b HTTP/1.1" % target, b"Host: x", *lines, b"", b""])


def client_frame(
    draw: Random, opcode: int, payload: bytes, *, first: int = 0x80, masked: bool = True
) -> bytes:
    """One frame; `first` are the bits before the opcode."""
    size = len(payload)
    if size < 126:
        length = bytes([size | masked << 7])
    elif size < 65_536:
        length = bytes([126 | masked << 7]) + size.to_bytes(2, "big")
    else:
        length = bytes([127 | masked << 7]) + size.to_bytes(8, "big")
    head = bytes([first | opcode]) + length
    if not masked:
        return head + payload
    mask = draw.randbytes(4)
    whole = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + (int.from_bytes(payload, "big") ^ whole).to_bytes(size, "big")


def command(draw: Random, number: int, place: int) -> dict[bytes, bytes]:
    """A proper command."""
    named = {b"id": b"%d" % place}
    chance = draw.random()
    if chance < 0.7:
        fields = order_fields(draw, number)
        fields[b"order_id"] = b'"%b.%d"' % (order_id(number), place)
        return {**named, **fields}
    old = {b"order_id": b'"%b"' % recent(draw, number)}
    if chance < 0.85:
        return {**named, b"op": b'"cancel"', **old}
    return {**named, b"op": b'"amend"', **old, **amend_fields(draw)}


def conversation(draw: Random, number: int) -> list[bytes]:
    """What a client sends, piece by piece: the handshake, then frames."""
    if draw.random() < 0.2:
        return [handshake(draw), client_frame(draw, TEXT, b"{}")]
    pieces = [handshake()]
    for place in range(draw.randint(1, 6)):
        if draw.random() < 0.5:
            text = json_object(command(draw, number, place))
            pieces.append(client_frame(draw, TEXT, text))
        else:
            pieces.append(_hostile(draw, number, place))
    if draw.random() < 0.3:
        pieces.append(client_frame(draw, CLOSE, draw.choice((b"", b"\x03\xe8", b"\x03\xe8bye"))))
    if draw.random() < 0.1:
        return [b"".join(pieces)]  # frames before the handshake is answered
    if draw.random() < 0.5:
        return [pieces[0], b"".join(pieces[1:])]
    return pieces


def _hostile(draw: Random, number: int, place: int) -> bytes:
    fields = command(draw, number, place)
    match draw.randrange(9):
        case 0 | 1 | 2:
            return client_frame(draw, TEXT, hostile_body(draw, fields)[:200_000])
        case 3:
            return client_frame(draw, TEXT, json_object({**fields, b"id": draw.choice(IDS)}))
        case 4:
            return _wrong_frame(draw, json_object(fields))
        case 5:
            return _fragments(draw, json_object(fields))
        case 6:
            payload = draw.choice(
                (b"", b"\x03", b"\x00\x00", b"\x03\xed", b"\x03\xe8\xff", b"\xff\xff")
            )
            return client_frame(draw, CLOSE, payload)
        case 7:
            return client_frame(
                draw, draw.choice((PING, PONG)), draw.randbytes(draw.choice((0, 125)))
            )
        case _:
            return draw.randbytes(draw.choice((1, 2, 14, 500)))


def _wrong_frame(draw: Random, text: bytes) -> bytes:
    match draw.randrange(7):
        case 0:
            return client_frame(draw, TEXT, text, masked=False)
        case 1:
            return client_frame(draw, draw.choice((3, 7, 11, 15)), text)
        case 2:
            return client_frame(draw, TEXT, text, first=draw.choice((0xC0, 0xA0, 0x90, 0xF0)))
        case 3:
            return client_frame(draw, PING, text + b"x" * 126)
        case 4:
            return b"\x81\xff" + draw.choice((b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x00" * 8))
        case 5:
            return client_frame(draw, BINARY, text)
        case _:
            return client_frame(draw, PING, b"", first=0)


def _fragments(draw: Random, text: bytes) -> bytes:
    """A message in pieces, in good order or not."""
    cut = draw.randrange(len(text))
    begin = client_frame(draw, TEXT, text[:cut], first=0)
    end = client_frame(draw, 0, text[cut:])
    ping = client_frame(draw, PING, b"")
    more = client_frame(draw, 0, b" ", first=0)
    return draw.choice(
        (begin + end, begin + ping + end, end, begin + begin, begin + more * 2_000 + end, begin)
    )
