"""The rule: what is hot is plain, and the door behind would read it the same; all else is its."""

import os
from typing import Any

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradeclear.gateway.door import head
from tradeclear.gateway.door.head import Head, Heads, is_hopeless, read_head

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
PLACE = b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
HANDSHAKE = (
    b"GET /ws/orders HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % KEY
)


def with_header(line: bytes) -> bytes:
    return PLACE[:-2] + line + b"\r\n\r\n"


def with_line(line: bytes) -> bytes:
    return line + PLACE[len(b"POST /orders HTTP/1.1") :]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PLACE, Head("place", 2)),
        (PLACE.replace(b"Content-Length: 2\r\n", b""), Head("place", 0)),
        (PLACE.replace(b"Host: x", b"hOST:"), Head("place", 2)),
        (with_header(b"Connection: Keep-Alive"), Head("place", 2)),
        (with_header(b"Idempotency-Key: a-1"), Head("place", 2, key="a-1")),
        (with_header(b"Idempotency-Key: \t a b \t"), Head("place", 2, key="a b")),
        (with_header(b"Idempotency-Key:"), Head("place", 2, key="")),
        (with_header(b"X: \xe9\tb"), Head("place", 2)),
        (with_header(b"Content-Type: text/plain"), Head("place", 2)),
        (with_line(b"POST /orders/batch HTTP/1.1"), Head("batch", 2, alone=True)),
        (with_line(b"POST /orders/a/cancel HTTP/1.1"), Head("cancel", 2, "a")),
        (with_line(b"POST /orders/cancel/cancel HTTP/1.1"), Head("cancel", 2, "cancel")),
        (with_line(b"DELETE /orders/a:=+b HTTP/1.1"), Head("delete", 2, "a:=+b")),
        (with_line(b"DELETE /orders/batch HTTP/1.1"), Head("delete", 2, "batch")),
        (with_line(b"PATCH /orders/a HTTP/1.1"), Head("amend", 2, "a", alone=True)),
        (HANDSHAKE, Head("order_socket", 0, websocket_key=KEY, alone=True)),
        (
            HANDSHAKE.replace(b"/ws/orders", b"/stream"),
            Head("stream", 0, websocket_key=KEY, alone=True),
        ),
    ],
)
def test_hot(data: bytes, expected: Head) -> None:
    assert read_head(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"\r\n" + PLACE,
        with_line(b"POST  /orders HTTP/1.1"),
        with_line(b"POST /orders  HTTP/1.1"),
        with_line(b"POST /orders HTTP/1.0"),
        with_line(b"POST /orders HTTP/1.2"),
        with_line(b"POST /orders HTTP/2.0"),
        with_line(b"POST /orders"),
        with_line(b"post /orders HTTP/1.1"),
        with_line(b"PUT /orders HTTP/1.1"),
        with_line(b"GET /orders HTTP/1.1"),
        with_line(b"HEAD /orders HTTP/1.1"),
        with_line(b"OPTIONS /orders HTTP/1.1"),
        with_line(b"OPTIONS * HTTP/1.1"),
        with_line(b"CONNECT x:1 HTTP/1.1"),
        with_line(b"POST http://x/orders HTTP/1.1"),
        with_line(b"POST /orders? HTTP/1.1"),
        with_line(b"POST /orders/ HTTP/1.1"),
        with_line(b"POST //orders HTTP/1.1"),
        with_line(b"POST /orders/cancel HTTP/1.1"),
        with_line(b"POST /orders//cancel HTTP/1.1"),
        with_line(b"POST /orders/a/b/cancel HTTP/1.1"),
        with_line(b"POST /orders/a/cancel/ HTTP/1.1"),
        with_line(b"DELETE /orders HTTP/1.1"),
        with_line(b"DELETE /orders/ HTTP/1.1"),
        with_line(b"DELETE /orders/a%2Fb HTTP/1.1"),
        with_line(b"DELETE /orders/a?client_id=A HTTP/1.1"),
        with_line(b"DELETE /orders/\xc3\xa9 HTTP/1.1"),
        PLACE.replace(b"Host: x\r\n", b""),
        PLACE.replace(b"Host: x", b"Host: x\r\nHost: x"),
        PLACE.replace(b"Host: x", b"Host : x"),
        PLACE.replace(b"Host: x", b"Host: x\r\n folded"),
        PLACE.replace(b": 2", b": 2, 2"),
        PLACE.replace(b": 2", b": +2"),
        PLACE.replace(b": 2", b": 0x2"),
        PLACE.replace(b": 2", b": -2"),
        PLACE.replace(b": 2", b": "),
        PLACE.replace(b": 2", b": \xb2"),
        PLACE.replace(b": 2", b": 1234567890"),
        with_header(b"Content-Length: 2"),
        with_header(b"Transfer-Encoding: chunked"),
        with_header(b"Connection: close"),
        with_header(b"Connection: upgrade"),
        with_header(b"Connection:"),
        with_header(b"Upgrade: h2c"),
        with_header(b"Expect: 100-continue"),
        with_header(b"Idempotency-Key: a\r\nIdempotency-Key: a"),
        with_header(b"Idempotency-Key: \xe9"),
        with_header(b"A: b\x00"),
        with_header(b"A\x00: b"),
        with_header(b"A(: b"),
        with_header(b": b"),
        with_header(b"no colon"),
        PLACE.replace(b"x\r\n", b"x\n"),
        PLACE.replace(b"x\r\n", b"x\r"),
        HANDSHAKE.replace(b"13", b"12"),
        HANDSHAKE.replace(b"websocket", b"h2c"),
        HANDSHAKE.replace(b"Upgrade\r\n", b"close\r\n"),
        HANDSHAKE.replace(KEY, b"short"),
        HANDSHAKE.replace(b"Host: x\r\n", b""),
        HANDSHAKE.replace(b"Host: x", b"Host: x\r\nHost: x"),
        HANDSHAKE.replace(b"Host: x", b"Host: x\r\nContent-Length: 0"),
        HANDSHAKE.replace(b"Host: x", b"Host: x\r\nTransfer-Encoding: chunked"),
        HANDSHAKE.replace(b"GET /ws/orders", b"GET /ws/orders?a=b"),
        HANDSHAKE.replace(b"GET", b"POST"),
        HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_not_hot(data: bytes) -> None:
    assert read_head(data) is None


PIECES = [
    b"\r\n", b"\n", b"\r", b"\x00", b"\xff", b" ", b"  ", b"\t", b":", b",", b"%", b"?", b"#", b"/",
    b"\x0b", b"\x7f", b"\x85", b"POST ", b"/orders", b"/cancel", b"HTTP/1.1", b"Host: y\r\n", b"0",
    b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: keep-alive\r\n", b"Idempotency-Key: k\r\n", b"\r\n ", b"\r\n\t", b"A: b\r\n",
]  # fmt: skip
HEADS = [
    PLACE,
    HANDSHAKE,
    with_line(b"POST /orders/batch HTTP/1.1"),
    with_line(b"PATCH /orders/a HTTP/1.1"),
    with_line(b"DELETE /orders/a HTTP/1.1"),
    with_line(b"POST /orders/a/cancel HTTP/1.1"),
    with_header(b"Idempotency-Key: k"),
]


@st.composite
def mutated(draw: Any) -> bytes:
    """A hot head with a few things wrong, and one end."""
    data = bytearray(draw(st.sampled_from(HEADS))[:-4])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.sampled_from([0, 0, 0, 1, 2, 9]))
        data[at : at + size] = draw(st.sampled_from(PIECES) | st.binary(max_size=2))
    return bytes(data + b"\r\n\r\n").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@settings(
    max_examples=int(os.environ.get("TRADECLEAR_TEST_EXAMPLES", "1500")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(mutated())
def test_what_is_hot_is_read_the_same_behind(data: bytes) -> None:
    """Against h11, which reads at the door behind: or bytes could be smuggled past one of them."""
    found = read_head(data)
    if found is None:
        return
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(data + b"x" * found.length)
    request = parser.next_event()
    assert isinstance(request, h11.Request)
    method, target = request.method.decode(), request.target.decode()
    headers = list(request.headers)
    names = [name for name, _value in headers]
    values = dict(headers)
    assert request.http_version == b"1.1"
    assert names.count(b"host") == 1
    assert b"transfer-encoding" not in names
    assert int(values.get(b"content-length", b"0")) == found.length
    expected = {
        "place": ("POST", "/orders"),
        "batch": ("POST", "/orders/batch"),
        "cancel": ("POST", f"/orders/{found.order_id}/cancel"),
        "delete": ("DELETE", f"/orders/{found.order_id}"),
        "amend": ("PATCH", f"/orders/{found.order_id}"),
        "order_socket": ("GET", "/ws/orders"),
        "stream": ("GET", "/stream"),
    }
    assert (method, target) == expected[found.route]
    if found.route in ("order_socket", "stream"):
        assert values[b"sec-websocket-key"] == found.websocket_key
        return
    key = values.get(b"idempotency-key")
    assert (None if key is None else key.decode()) == found.key
    assert names.count(b"idempotency-key") <= 1
    assert values.get(b"connection", b"keep-alive").lower() == b"keep-alive"
    if found.length:
        event = parser.next_event()
        assert isinstance(event, h11.Data)
        assert len(event.data) == found.length
    assert isinstance(parser.next_event(), h11.EndOfMessage)
    assert parser.trailing_data[0] == b""


@pytest.mark.parametrize(
    ("data", "hopeless"),
    [
        (b"P", False),
        (b"POST /orders HTTP/1.1\r\n", False),
        (b"POST /orders HTTP/1.1\r\nHost: x\r\n\r", False),
        (b"\r", True),
        (b" ", True),
        (b"\x16\x03\x01", True),
        (b"POST /orders HTTP/1.1\nHost: x\n\n", True),
        (b"POST /orders HTTP/1.1\r\nHost: x\n\r\n", True),
    ],
)
def test_what_no_further_byte_can_mend(data: bytes, hopeless: bool) -> None:
    assert is_hopeless(data) == hopeless


# The memory


def test_equal_heads_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    monkeypatch.setattr(head, "read_head", lambda data: read.append(data) or read_head(data))
    heads = Heads()
    assert heads.read(PLACE) == heads.read(bytes(bytearray(PLACE))) == Head("place", 2)
    assert read == [PLACE]


@pytest.mark.parametrize(
    "data",
    [
        with_header(b"Idempotency-Key: a"),
        with_line(b"DELETE /orders/a HTTP/1.1"),
        with_header(b"A: " + b"a" * head.HEAD_BYTES_MAX),
        HANDSHAKE,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_heads_that_do_not_come_again_are_not_kept(data: bytes) -> None:
    heads = Heads()
    assert heads.read(data) == read_head(data)
    assert not heads._known


def test_so_many_are_kept_and_no_more() -> None:
    heads = Heads()
    for number in range(head.HEADS_MAX * 2 + 5):
        assert heads.read(with_header(b"A: %d" % number)) == Head("place", 2)
        assert len(heads._known) <= head.HEADS_MAX
    assert heads._known
