"""The rule: no client makes us wait for ever, and none loses a reply that it could have read."""

import json
from contextlib import suppress
from typing import Any

import pytest
import trio
import wsproto
from quart import websocket
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)

SHORT_S = 0.3
ORDER = b'{"client_id":"A","order_id":"%s","side":"buy","price":1,"quantity":1}'


def post(body: bytes, *headers: bytes, path: bytes = b"/orders") -> bytes:
    lines = [b"POST %s HTTP/1.1" % path, b"Host: x", *headers]
    if not any(b"Transfer-Encoding" in header for header in headers):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(path: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"GET %s HTTP/1.1" % path, b"Host: x", *headers]) + b"\r\n\r\n"


CLOSE = b"Connection: close"


class Client:
    """A connection of a client that reads replies one by one."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.data = b""

    async def reply(self) -> tuple[int, bytes]:
        """Status and body of the next reply (100 has none)."""
        with trio.fail_after(5):
            while b"\r\n\r\n" not in self.data:
                await self._more()
            head, _, self.data = self.data.partition(b"\r\n\r\n")
            status = int(head.split()[1])
            size = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            while len(self.data) < size:
                await self._more()
            body, self.data = self.data[:size], self.data[size:]
            return status, body

    async def _more(self) -> None:
        more = await self.stream.receive_some(65536)
        assert more, "the server closed the connection"
        self.data += more

    async def ended(self) -> bool:
        """Whether the server closes without another byte."""
        with trio.fail_after(5):
            try:
                return not self.data and not await self.stream.receive_some(1)
            except trio.BrokenResourceError:
                return True


@pytest.fixture
async def quick(start_server: Any) -> Any:
    """A server with short times."""
    return await start_server(
        header_timeout_s=SHORT_S, keep_alive_timeout_s=SHORT_S, write_timeout_s=SHORT_S
    )


# Slow and stalled clients


async def test_an_idle_connection_is_closed(quick: Any) -> None:
    async with await quick.connect() as stream:
        client = Client(stream)
        await stream.send_all(get(b"/healthz"))
        assert (await client.reply())[0] == 200
        assert await client.ended()


async def test_a_silent_connection_is_closed(quick: Any) -> None:
    async with await quick.connect() as stream:
        assert await Client(stream).ended()


async def test_a_head_that_trickles_is_408(quick: Any) -> None:
    async with await quick.connect() as stream, trio.open_nursery() as nursery:

        async def trickle() -> None:
            await stream.send_all(b"GET / HTTP/1.1\r\n")
            while True:
                await stream.send_all(b"A: b\r\n")
                await trio.sleep(SHORT_S / 6)

        nursery.start_soon(trickle)
        client = Client(stream)
        status, body = await client.reply()
        nursery.cancel_scope.cancel()
    assert (status, json.loads(body)["name"]) == (408, "request_timeout")
    await quick.assert_serving()


async def test_a_body_that_never_comes_is_408(start_server: Any, house: Any) -> None:
    server = await start_server(app=house.app(body_timeout_s=SHORT_S))
    async with await server.connect() as stream:
        await stream.send_all(post(b"")[:-5] + b"9\r\n\r\n{")
        client = Client(stream)
        status, body = await client.reply()
        assert (status, json.loads(body)["name"]) == (408, "request_timeout")
        await stream.send_eof()
        assert await client.ended()
    await server.assert_serving()


async def test_a_reader_that_stalls_is_cut_off(start_server: Any, house: Any) -> None:
    class Big:
        """An app with an endless reply."""

        stopped = trio.Event()

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            assert scope["type"] == "http"
            await send({"type": "http.response.start", "status": 200, "headers": []})
            try:
                while (await self.gone(receive)) is None:
                    piece = b"x" * 1_000_000
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            finally:
                self.stopped.set()

        async def gone(self, receive: Any) -> Any:
            with trio.move_on_after(0.001):
                while (message := await receive())["type"] != "http.disconnect":
                    pass
                return message

    app = Big()
    server = await start_server(app=app, write_timeout_s=SHORT_S)
    async with await server.connect() as stream:
        await stream.send_all(get(b"/"))
        with trio.fail_after(5):
            await app.stopped.wait()


# Early replies


@pytest.mark.parametrize("path", [b"/nowhere", b"/orderbook"])
async def test_a_refused_post_leaves_the_connection_usable(server: Any, path: bytes) -> None:
    async with await server.connect() as stream:
        client = Client(stream)
        for _ in range(3):
            await stream.send_all(post(b"x" * 500_000, path=path))
            assert (await client.reply())[0] in (404, 405)
        await stream.send_all(post(ORDER % b"o"))
        assert (await client.reply())[0] == 201


async def test_chunks_are_read_and_the_connection_stays(server: Any) -> None:
    body = b"5\r\n%s\r\n" % (ORDER % b"o")[:5]
    rest = (ORDER % b"o")[5:]
    body += b"%x;ext=1\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (len(rest), rest)
    async with await server.connect() as stream:
        client = Client(stream)
        await stream.send_all(post(body, b"Transfer-Encoding: chunked"))
        assert (await client.reply())[0] == 201
        await stream.send_all(get(b"/orders/o"))
        assert (await client.reply())[0] == 200


@pytest.mark.parametrize("declared", [True, False])
async def test_a_large_body_gets_its_413_although_it_is_still_sent(
    server: Any, declared: bool
) -> None:
    size = 3_000_000
    async with await server.connect() as stream:
        client = Client(stream)
        if declared:
            request = post(b"x" * size)
        else:
            chunk = b"%x\r\n%s\r\n" % (100_000, b"x" * 100_000)
            request = post(chunk * 30 + b"0\r\n\r\n", b"Transfer-Encoding: chunked")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, request)
            status, body = await client.reply()
        assert (status, json.loads(body)["name"]) == (413, "body_too_large")
        assert await client.ended()
    await server.assert_serving()


async def test_the_largest_body_is_taken(server: Any) -> None:
    async with await server.connect() as stream:
        client = Client(stream)
        body = ORDER % b"o" + b" " * (1_048_576 - len(ORDER % b"o"))
        await stream.send_all(post(body))
        assert (await client.reply())[0] == 201


async def test_a_bad_chunk_is_400(server: Any) -> None:
    reply = await server.exchange(post(b"zz\r\n{}", b"Transfer-Encoding: chunked"))
    assert reply.startswith(b"HTTP/1.1 400 ")
    await server.assert_serving()


# Clients that leave


async def test_half_a_body_then_gone_submits_nothing(server: Any, house: Any) -> None:
    before = house.engine.seq
    for whole in (post(ORDER % b"o"), post(b"x" * 900_000)):
        async with await server.connect() as stream:
            await stream.send_all(whole[:-1])
    await server.assert_serving()
    assert house.engine.seq == before


async def test_a_client_that_leaves_after_its_order_has_placed_it(server: Any, house: Any) -> None:
    async with await server.connect() as stream:
        await stream.send_all(post(ORDER % b"o"))
        await stream.send_eof()
    with trio.fail_after(5):
        while "o" not in house.engine.orders.by_id:
            await server.assert_serving()


async def test_a_client_that_only_stops_sending_still_gets_its_replies(server: Any) -> None:
    async with await server.connect() as stream:
        client = Client(stream)
        await stream.send_all(post(ORDER % b"o") + get(b"/orders/o"))
        await stream.send_eof()
        assert [(await client.reply())[0] for _ in range(2)] == [201, 200]
        assert await client.ended()


async def test_a_refusal_is_whole_although_the_client_has_stopped_sending(server: Any) -> None:
    refused = post(b"x", b"X: y").replace(b"Content-Length: 1", b"Content-Length: 4294967296")
    replies: list[bytes] = []

    async def ask() -> None:
        async with await server.connect() as stream:
            await stream.send_all(refused)
            await stream.send_eof()
            replies.append(b"".join([data async for data in stream]))

    for _ in range(5):
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)
    bodies = [reply.partition(b"\r\n\r\n")[2] for reply in replies]
    assert {json.loads(body)["status"] for body in bodies} <= {400, 413}


@pytest.mark.parametrize("more", [b"\r\n", b"\x00", get(b"/healthz"), b"x" * 100_000])
async def test_what_follows_the_last_request_changes_nothing(server: Any, more: bytes) -> None:
    reply = await server.exchange(post(ORDER % b"o", CLOSE) + more)
    assert (reply[:13], reply.count(b"HTTP/1.1")) == (b"HTTP/1.1 201 ", 1)
    reply = await server.exchange(b"GET /healthz HTTP/1.0\r\n\r\n" + more)
    assert (reply[:13], reply.count(b"HTTP/1.1")) == (b"HTTP/1.1 200 ", 1)


async def test_a_reset_connection_harms_nobody(server: Any) -> None:
    for _ in range(20):
        stream = await server.connect()
        await stream.send_all(post(ORDER % b"o")[:-3])
        stream.setsockopt(*RESET)
        await stream.aclose()
    await server.assert_serving()


RESET = (1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00")
"""SOL_SOCKET, SO_LINGER: on, 0 s."""


# What HTTP/1.1 allows


async def test_pipelined_requests_are_answered_in_order(server: Any) -> None:
    async with await server.connect() as stream:
        client = Client(stream)
        requests = [post(ORDER % (b"o%d" % number)) for number in range(50)]
        await stream.send_all(b"".join(requests))
        ids = [json.loads((await client.reply())[1])["order"]["order_id"] for _ in requests]
        assert ids == [f"o{number}" for number in range(50)]


async def test_thousands_of_requests_on_one_connection(server: Any) -> None:
    async with await server.connect() as stream:
        client = Client(stream)
        for _ in range(1_500):
            await stream.send_all(get(b"/healthz"))
            assert (await client.reply())[0] == 200


async def test_expect_100_continue(server: Any) -> None:
    async with await server.connect() as stream:
        client = Client(stream)
        body = ORDER % b"o"
        await stream.send_all(post(body, b"Expect: 100-continue")[: -len(body)])
        assert await client.reply() == (100, b"")
        await stream.send_all(body)
        assert (await client.reply())[0] == 201
        await stream.send_all(get(b"/healthz"))
        assert (await client.reply())[0] == 200


@pytest.mark.parametrize(("path", "status"), [(b"/healthz", b"200 OK"), (b"/x", b"404 Not Found")])
async def test_every_status_has_its_phrase(server: Any, path: bytes, status: bytes) -> None:
    # Without one h2load sees no status and counts the request as failed.
    reply = await server.exchange(get(path, CLOSE))
    assert reply.startswith(b"HTTP/1.1 %s\r\n" % status)


async def test_http_1_0(server: Any) -> None:
    reply = await server.exchange(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 200 ")


async def test_head_has_no_body(server: Any) -> None:
    reply = await server.exchange(b"HEAD /orderbook HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % CLOSE)
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert reply.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET http://elsewhere.example/orderbook?levels=1 HTTP/1.1", 200),
        (b"GET http://[bad/orderbook HTTP/1.1", 200),
        (b"GET http://elsewhere.example HTTP/1.1", 404),
        (b"OPTIONS /orders HTTP/1.1", 200),
        (b"OPTIONS * HTTP/1.1", 404),
        (b"CONNECT x:443 HTTP/1.1", 404),
        (b"GET ?levels=1 HTTP/1.1", 404),
        (b"GET orderbook HTTP/1.1", 200),
        (b"BREW /orders HTTP/1.1", 405),
        (b"get /orders HTTP/1.1", 200),
        (b"GET /orders?%ff=%00 HTTP/1.1", 400),
        (b"GET /orders/%ff%00 HTTP/1.1", 400),
        (b"GET /../../etc/passwd HTTP/1.1", 404),
        (b"GET //orderbook HTTP/1.1", 200),
    ],
)
async def test_targets_and_methods(server: Any, line: bytes, status: int) -> None:
    reply = await server.exchange(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert int(reply.split()[1]) == status
    await server.assert_serving()


@pytest.mark.parametrize(
    "header",
    [
        b"Host: a..b",
        b"Host: " + b"a" * 300,
        b"Host: [::1",
        b"Host: x:99999999",
        b"Host: \xff\xfe",
        b"Host: x\r\nCookie: \xff=\xff; session=x",
        b"Host: x\r\nRemote-Addr: 1.2.3.4",
        b"Host: x\r\nContent-Type: \xff",
        b"Host: x\r\nContent-Type: multipart/form-data",
        b"Host: x\r\nAccept-Encoding: *;q=x",
        b"Host: x\r\nRange: bytes=-1",
        b"Host: x\r\nIf-Modified-Since: never",
        b"Host: x\r\nAuthorization: Basic \xff",
        b"Host: x\r\nX: a\r\n b",
        b"Host: x\r\nUpgrade: websocket",
    ],
)
async def test_strange_headers_harm_nobody(server: Any, header: bytes) -> None:
    reply = await server.exchange(
        b"GET /orderbook HTTP/1.1\r\n" + header + b"\r\nConnection: close\r\n\r\n"
    )
    assert reply.startswith(b"HTTP/1.1 200 ")


async def test_a_websocket_where_there_is_none(server: Any) -> None:
    reply = await server.exchange(
        b"GET /orders HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert 400 <= int(reply.split()[1]) < 500
    await server.assert_serving()


# WebSockets


async def open_websocket(server: Any, stream: trio.SocketStream) -> wsproto.WSConnection:
    socket = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    await stream.send_all(socket.send(Request(host="x", target="/echo")))
    assert isinstance(await next_event(socket, stream), AcceptConnection)
    return socket


async def next_event(socket: wsproto.WSConnection, stream: trio.SocketStream) -> Event | None:
    """The next event, or None when the server has closed the stream."""
    with trio.fail_after(5):
        while True:
            for event in socket.events():
                if not isinstance(event, Ping):
                    return event
            data = await stream.receive_some(65536)
            if not data:
                return None
            socket.receive_data(data)


@pytest.fixture
async def echoing(start_server: Any, house: Any) -> Any:
    """A server with a WebSocket that repeats what it is told."""
    app = house.app()

    @app.websocket("/echo")
    async def echo() -> None:
        while True:
            await websocket.send(await websocket.receive())

    return await start_server(app=app, write_timeout_s=SHORT_S, shutdown_timeout_s=SHORT_S)


async def test_a_websocket_speaks_and_closes(echoing: Any) -> None:
    async with await echoing.connect() as stream:
        socket = await open_websocket(echoing, stream)
        await stream.send_all(socket.send(TextMessage("hello")))
        event = await next_event(socket, stream)
        assert isinstance(event, TextMessage)
        assert event.data == "hello"
        await stream.send_all(socket.send(CloseConnection(1000)))
        assert isinstance(await next_event(socket, stream), CloseConnection)


async def test_a_large_websocket_message_is_refused(echoing: Any) -> None:
    async with await echoing.connect() as stream:
        socket = await open_websocket(echoing, stream)
        await stream.send_all(socket.send(TextMessage("x" * 100_000)))
        event = await next_event(socket, stream)
        assert isinstance(event, CloseConnection)
        assert event.code == 1009
    await echoing.assert_serving()


async def test_a_websocket_that_reads_nothing_is_cut_off(echoing: Any) -> None:
    async with await echoing.connect() as stream:
        stream.setsockopt(1, 8, 4096)  # SO_RCVBUF
        socket = await open_websocket(echoing, stream)
        message = socket.send(TextMessage("x" * 60_000))
        with trio.fail_after(10), suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(message)
    await echoing.assert_serving()


async def test_an_open_websocket_does_not_hold_up_the_shutdown(echoing: Any) -> None:
    async with await echoing.connect() as stream:
        socket = await open_websocket(echoing, stream)
        echoing.shutdown.set()
        event = await next_event(socket, stream)
        assert event is None or isinstance(event, CloseConnection)


UPGRADE = (
    b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.mark.parametrize(
    "request_bytes",
    [
        UPGRADE.replace(b"Version: 13", b"Version: 12") + b"\r\n",
        UPGRADE.replace(b"Sec-WebSocket-Key", b"Key") + b"\r\n",
        UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n",
        UPGRADE.replace(b"Connection: Upgrade", b"Connection: Upgrade, \xff") + b"\r\n",
        UPGRADE + b"\r\n\x81\x00",
    ],
)
async def test_a_bad_handshake_is_400_and_the_end(echoing: Any, request_bytes: bytes) -> None:
    reply = await echoing.exchange(request_bytes)
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b'"name":"malformed_request"' in reply
    await echoing.assert_serving()


async def test_bytes_before_the_handshake_is_answered_end_the_connection(
    start_server: Any, house: Any
) -> None:
    app = house.app()
    asked = trio.Event()

    @app.websocket("/echo")
    async def hesitate() -> None:
        asked.set()
        await trio.sleep_forever()

    server = await start_server(app=app)
    async with await server.connect() as stream:
        await stream.send_all(UPGRADE + b"\r\n")
        with trio.fail_after(5):
            await asked.wait()
        await stream.send_all(b"\x81\x00")
        assert await Client(stream).ended()
    await server.assert_serving()


async def test_no_compression_is_agreed_on(start_server: Any, house: Any) -> None:
    app = house.app()

    @app.websocket("/echo")
    async def accept() -> None:
        await websocket.accept()
        await websocket.receive()

    server = await start_server(app=app)
    async with await server.connect() as stream:
        await stream.send_all(UPGRADE + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        head = (await stream.receive_some(65536)).lower()
        assert head.startswith(b"http/1.1 101 ")
        assert b"extensions" not in head


@pytest.mark.parametrize("accepted", [False, True])
async def test_a_fault_behind_a_websocket(start_server: Any, house: Any, accepted: bool) -> None:
    app = house.app()

    @app.websocket("/echo")
    async def broken() -> None:
        if accepted:
            await websocket.accept()
        raise ZeroDivisionError

    server = await start_server(app=app)
    async with await server.connect() as stream:
        socket = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        await stream.send_all(socket.send(Request(host="x", target="/echo")))
        event = await next_event(socket, stream)
        if accepted:
            assert isinstance(event, AcceptConnection)
            event = await next_event(socket, stream)
            assert isinstance(event, CloseConnection)
            assert event.code == 1011
        else:
            assert isinstance(event, RejectConnection)
            assert event.status_code == 503
    await server.assert_serving()
