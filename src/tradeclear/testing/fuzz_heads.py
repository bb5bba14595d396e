"""Requests with a wrong head: the line, the headers, the framing of the body."""

from random import Random
from typing import Final

from tradeclear.testing.fuzz_bodies import json_object
from tradeclear.testing.fuzz_orders import order_fields, proper_request

METHODS: Final = (
    *(b"POST", b"GET", b"PUT", b"OPTIONS", b"TRACE", b"CONNECT", b"PROPFIND", b"post", b"P\x00ST"),
    *(b"", b" ", b"GE T", b"G\xc9T", b"M-SEARCH", b"PRI", b"X" * 300, b"(GET)", b"HEAD", b"LINK"),
)
TARGETS: Final = (
    *(b"/orders", b"//orders", b"/orders/", b"/orders/../admin/snapshots", b"/./orders", b"*", b""),
    *(b"http://localhost/orders", b"http://evil.example/orders"),
    *(b"http:///orders", b"http://", b"?"),
    *(b"https://localhost:99999/orders", b"localhost:80", b"orders", b"/orders#x", b"/%", b"/%zz"),
    *(b"/orders/%00/cancel", b"/orders/%2F", b"/orders/%2e%2e", b"/orders/%ff", b"/orders/a%20b"),
    *(b"/orders/\xff", b"/orders/a b"),
    *(b"/orders/" + b"a" * 65, b"/orders/" + b"a" * 20_000, b"/\x00"),
    *(b"/orders?limit=1e9", b"/orders?limit=-1", b"/orders?limit=%D9%A1", b"/orders?limit=", b"/?"),
    *(b"/orders?cursor=" + b"9" * 400, b"/orders?status=open,,filled", b"/orders?status=%00"),
    *(b"/orders?client_id=a&client_id=b", b"/orders?=&=&&", b"/orders?" + b"a=1&" * 2_000),
    *(b"/orderbook?levels=0", b"/orderbook?levels=999999999999999999999", b"/trades?before=-0"),
    *(b"/trades?limit=NaN", b"/orderbook?instrument=%ED%A0%80"),
    *(b"/ws/orders", b"/openapi.json?a=b"),
    *(b"/metrics/", b"/admin/snapshots/x"),
    *(b"/static/../../etc/passwd", b"/\xe2\x80\xae", b"/orders;a=b"),
)  # fmt: skip
VERSIONS: Final = (
    *(b" HTTP/1.1", b" HTTP/1.0", b"", b" HTTP/0.9", b" HTTP/2.0", b" HTTP/1.2", b" HTTP/9.9"),
    *(b" http/1.1", b" HTTP/1", b" HTTP/1.10"),
    *(b" HTTP/1.1 x", b"\tHTTP/1.1", b"  HTTP/1.1", b" HTTPS/1.1"),
)  # fmt: skip
ENDS: Final = (
    b"\r\n",
    b"\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\r\n",
    b"\n\r",
    b"\x00\r\n",
    b"\x0b\r\n",
)
LENGTHS: Final = (
    *(b"-1", b"+5", b" 5", b"5 ", b"5 5", b"5,5", b"0x5", b"5.0", b"5e0", b"", b"a", b"\xd9\xa5"),
    *(b"99999999999999999999", b"9223372036854775808", b"1048577", b"1048576", b"0", b"00005"),
    *(b"9" * 400, b"\xb2", b"1_0", b"5\x00", b"-0", b"4294967296", b"18446744073709551616"),
)
HEADERS: Final = (
    *(b"Transfer-Encoding: chunked",),
    *(b"Transfer-Encoding: identity", b"Transfer-Encoding: xchunked"),
    *(b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: gzip, chunked", b"TE: trailers"),
    *(b"Transfer-Encoding : chunked", b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding:"),
    *(b"X: a\r\n folded", b"X: a\r\n\tfolded", b" X: leading", b"X : spaced", b": nameless", b"X"),
    *(b"X: a\x00b", b"X: a\nY: b", b"X: a\rY: b"),
    *(b"\x00: a", b"X: \xff\xfe", b"X\xff: a", b"X: \x7f"),
    *(b"Expect: 100-continue", b"Expect: 200-ok"),
    *(b"Expect: 100-continue, 100-continue", b"Expect:"),
    *(b"Upgrade: h2c", b"Upgrade: websocket"),
    *(b"Connection: Upgrade", b"Connection: close", b"Via: x"),
    *(b"Connection: keep-alive, Upgrade, HTTP2-Settings", b"Connection: \xff", b"Upgrade: \xff"),
    *(b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Host: evil.example"),
    *(b"Host:", b"Host: [", b"Host: a b"),
    *(b"Idempotency-Key: a b", b"Idempotency-Key: \xe9"),
    *(b"Idempotency-Key:", b"Idempotency-Key: k"),
    *(b"Idempotency-Key: " + b"k" * 200, b"Content-Encoding: gzip", b"Content-Type: text/plain"),
    *(b"Content-Type: application/json; charset=utf-16", b"Range: bytes=0-1", b"If-None-Match: *"),
    *(b"X-HTTP-Method-Override: DELETE", b"X-Forwarded-For: 1.2.3.4", b"Authorization: Basic \xff"),
    *(b"Cookie: " + b"a=b; " * 500, b"Sec-WebSocket-Key: x"),
    *(b"Sec-WebSocket-Version: 99", b"Proxy: x"),
    *(b"Accept-Encoding: gzip, br, \x00", b"Trailer: X"),
    *(b"Keep-Alive: timeout=99999", b"X:" + b" " * 9_000),
)  # fmt: skip
CHUNKS: Final = (
    *(b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\n", b"0\n\n"),
    *(b"-1\r\n\r\n", b"g\r\n", b"\r\n", b"0x5\r\n"),
    *(b"ffffffffffffffff\r\n", b"5\r\nabc"),
    *(b"5;ext=1\r\nabcde\r\n", b"5;" + b"e" * 20_000 + b"\r\n"),
    *(b"1\r\na\r\n" * 3_000, b"1 \r\na\r\n", b"+1\r\na\r\n", b"5\r\nabcdeXX", b"0\r\nX\r\n\r\n"),
    *(b"00000000000000000005\r\nabcde\r\n",),
    *(b"5\nabcde\n", b"0\r\n" + b"T: x\r\n" * 3_000 + b"\r\n"),
    *(b"9" * 400 + b"\r\n", b"0\r\n X: folded\r\n\r\n", b"1_0\r\n", b"\x00\r\n", b"5\r\nabcde"),
)  # fmt: skip
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
STRANGERS: Final = (
    *(PREFACE, PREFACE + b"\x00" * 50, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 80),
    *(
        b"GET /orders\r\n",
        b"GET /\n\n",
        b"\r\n" * 50 + b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 64,
        b"\n",
    ),
    *(
        b"SSH-2.0-OpenSSH_9\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"EHLO x\r\n",
        b"A" * 70_000,
        b"\r" * 20_000,
    ),
    *(b"GET " + b"/" * 70_000, b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 70_000, b"\xff" * 3_000),
)
HEADER_COUNTS: Final = (100, 2_000, 20_000)
HEAD_BYTES: Final = (15_000, 17_000, 200_000)


def strange_line(draw: Random, number: int) -> bytes:
    """A request whose first line, or whose lines' ends, are not as they should be."""
    if draw.random() < 0.25:
        return draw.choice(STRANGERS)
    method, target, version = b"POST", b"/orders", b" HTTP/1.1"
    for _ in range(draw.randint(1, 2)):
        match draw.randrange(4):
            case 0:
                method = draw.choice(METHODS)
            case 1 | 2:
                target = draw.choice(TARGETS)
            case _:
                version = draw.choice(VERSIONS)
    end = draw.choice(ENDS)
    body = json_object(order_fields(draw, number))
    lines = [method + b" " + target + version, b"Host: x", b"Content-Length: %d" % len(body)]
    return end.join([*lines, b"", body])


def strange_headers(draw: Random, number: int) -> bytes:
    """A proper request with one to three headers that are not."""
    data = proper_request(draw, number)
    for _ in range(draw.randint(1, 3)):
        data = _insert(draw, data, draw.choice(HEADERS))
    return data


def strange_length(draw: Random, number: int) -> bytes:
    """A length that is wrong, there twice, or beside chunks; the body is what it is."""
    body = json_object(order_fields(draw, number))
    proper = b"Content-Length: %d" % len(body)
    wrong = b"Content-Length: " + draw.choice(LENGTHS)
    lines = draw.choice(
        (
            [wrong],
            [proper, wrong],
            [wrong, proper],
            [proper, proper],
            [proper, b"Transfer-Encoding: chunked"],
            [b"Transfer-Encoding: chunked", wrong],
            [b"content-length : %d" % len(body)],
            [b"Content-Length: %d" % (len(body) + draw.choice((-5, -1, 1, 50)))],
            [],
        )
    )
    return b"\r\n".join([b"POST /orders HTTP/1.1", b"Host: x", *lines, b"", body])


def large_head(draw: Random, number: int) -> bytes:
    """Thousands of headers, or a very long one."""
    data = proper_request(draw, number)
    if draw.random() < 0.5:
        count = draw.choice(HEADER_COUNTS)
        name = draw.choice((b"X: y", b"X-%d: y", b"Host: x", b"Content-Length: 1", b"a:"))
        lines = [name % place if b"%" in name else name for place in range(count)]
        return _insert(draw, data, b"\r\n".join(lines))
    size = draw.choice(HEAD_BYTES)
    return _insert(draw, data, draw.choice((b"X: ", b"X", b"Cookie: a=", b"Host: ")) + b"a" * size)


def chunked(draw: Random, number: int) -> bytes:
    """A body in chunks, proper or with something else among them."""
    body = json_object(order_fields(draw, number))
    pieces, start = [], 0
    while start < len(body):
        size = draw.choice((1, 7, 40, 1_000))
        piece = body[start : start + size]
        pieces.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        start += size
    pieces.append(b"0\r\n\r\n")
    if draw.random() < 0.7:
        pieces[draw.randrange(len(pieces))] = draw.choice(CHUNKS)
    target = draw.choice((b"/orders", b"/orders/batch", b"/orders/order-1/cancel", b"/healthz"))
    more = (b"Expect: 100-continue",) if draw.random() < 0.1 else ()
    lines = [b"POST %b HTTP/1.1" % target, b"Host: x", b"Transfer-Encoding: chunked", *more]
    return b"\r\n".join([*lines, b"", b""]) + b"".join(pieces)


def mutated(draw: Random, number: int) -> bytes:
    """A proper request, or two, with bytes changed, cut out, doubled or put in between."""
    data = bytearray(proper_request(draw, number))
    if draw.random() < 0.2:
        data += proper_request(draw, number)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        match draw.randrange(5):
            case 0:
                data[at:at] = draw.choice(PIECES)
            case 1:
                del data[at : at + draw.randint(1, 20)]
            case 2:
                data[at : at + 1] = draw.randbytes(1)
            case 3:
                data[at:at] = data[: draw.randint(1, 60)]
            case _:
                data[at : at + 1] = bytes([data[at] ^ 1 << draw.randrange(8)]) if data[at:] else b""
    return bytes(data)


PIECES: Final = (
    *(b"\r\n", b"\n", b"\r", b"\x00", b"\xff", b" ", b":"),
    *(b",", b"%", b"%00", b"?", b"&", b"=", b'"'),
    *(b"[" * 5_000, b"{", b"}", b"\\ud800", b"1e999999999"),
    *(b"NaN", b"-", b"9" * 400, b"null", b"\t"),
    *(b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"HTTP/1.1", b"A" * 20_000),
    *(b"\r\n\r\n", b"Host: [\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n"),
)  # fmt: skip


def _insert(draw: Random, data: bytes, line: bytes) -> bytes:
    """`line` somewhere among the headers."""
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    lines.insert(draw.randint(1, len(lines)), line)
    return b"\r\n".join(lines) + end + body
