"""The rule: a head that two parties could read differently is refused, and the connection ends."""

import json
from typing import Any

import pytest

OK = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def told(reply: bytes) -> tuple[int, Any]:
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    assert b"content-type: application/problem+json" in head.lower()
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("head", "detail"),
    [
        (
            b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "exclude each other",
        ),
        (
            b"POST /orders HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.0 knows no Transfer-Encoding",
        ),
        (
            b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            "conflicting Content-Length",
        ),
        (b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 3\r\n\r\n{}", "Content-Length"),
        (b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "Content-Length"),
        (b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}", "Content-Length"),
        (b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 0x2\r\n\r\n{}", "Content-Length"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "Encoding"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", "Encoding"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n",
            "Encoding",
        ),
        (b"GET / HTTP/1.1\r\n\r\n", "Host"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "Host"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "this is a server of HTTP/1.1"),
        (b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", "this is a server of HTTP/1.1"),
        (b"GET /\r\n\r\n", "request line"),
        (b"GET  /  HTTP/1.1\r\nHost: x\r\n\r\n", "request line"),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "header"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n", "header"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00\r\n\r\n", "header"),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", "request line"),
        (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", "request line"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "request line"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1"),
        (b"\x00" * 20_000, None),
    ],
)
async def test_bad_heads_are_400(server: Any, head: bytes, detail: str | None) -> None:
    status, problem = told(await server.exchange(head + OK))
    if detail is None:
        assert status in (400, 431)
    else:
        assert (status, problem["name"]) == (400, "malformed_request")
        assert detail in problem["detail"]
    await server.assert_serving()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 20_000),
        b"GET / HTTP/1.1\r\nHost: x\r\nA: %s\r\n\r\n" % (b"a" * 20_000),
        b"GET / HTTP/1.1\r\nHost: x\r\n%s\r\n" % (b"A: b\r\n" * 4_000),
        b"GET / HTTP/1.1\r\nHost: x\r\n%s" % (b"A: b\r\n" * 4_000),
        b"GET / HTTP/1.1\r\nA: %s" % (b"a" * 1_000_000),
    ],
)
async def test_large_heads_are_431(server: Any, head: bytes) -> None:
    status, problem = told(await server.exchange(head))
    assert (status, problem["name"]) == (431, "headers_too_large")
    await server.assert_serving()


async def test_no_upgrade_to_http2(server: Any) -> None:
    reply = await server.exchange(
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        b"Connection: Upgrade, HTTP2-Settings, close\r\n\r\n"
    )
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert reply.count(b"HTTP/1.1") == 1


async def test_a_refused_head_request_has_no_body(server: Any, capsys: Any) -> None:
    reply = await server.exchange(
        b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nA: %s\r\n\r\n" % (b"a" * 17_000)
    )
    assert reply.startswith(b"HTTP/1.1 431 ")
    assert reply.endswith(b"\r\n\r\n")
    assert "request_failed" not in capsys.readouterr().out


async def test_an_unfinished_head_at_the_end_is_400(server: Any) -> None:
    stream = await server.connect()
    async with stream:
        await stream.send_all(b"GET / HTTP/1.1\r\nHost:")
        await stream.send_eof()
        data = b""
        while more := await stream.receive_some(65536):
            data += more
    assert data == b"" or told(data)[0] == 400
    await server.assert_serving()
