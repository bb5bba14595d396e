"""An exchange that says what a test has it say, and hears everything."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from tradeclear.client.backoff import Patience

IDLE_S = 0.05
"""Time jumps when nothing has happened for so long: sockets of this machine are faster."""

HASTE = Patience(first_s=0.01, most_s=0.1, give_up_s=2.0, reply_s_max=1.0)


@pytest.fixture
def jumping_clock() -> trio.testing.MockClock:
    """Trio's clock, which jumps over waits even though sockets are real."""
    return trio.testing.MockClock(autojump_threshold=IDLE_S)


class Request(NamedTuple):
    """What came over HTTP."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


def reply(status: int, body: Any, *headers: str) -> bytes:
    """An HTTP response; what isn't bytes is written as JSON."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(text)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + text


def problem(code: int, name: str, status: int, **more: Any) -> dict[str, Any]:
    return {"code": code, "name": name, "status": status, "title": name, "detail": name, **more}


class HttpScript:
    """Answers each request with the next of `replies`; None closes the connection instead."""

    def __init__(self) -> None:
        self.replies: list[bytes | None] = []
        self.requests: list[Request] = []
        self.url = ""

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    if not (more := await stream.receive_some()):
                        return
                    data += more
                head, data = data.split(b"\r\n\r\n", 1)
                first, *lines = head.decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines)
                length = int(headers.get("content-length", 0))
                while len(data) < length:
                    data += await stream.receive_some()
                body, data = data[:length], data[length:]
                method, path, _ = first.split()
                self.requests.append(
                    Request(method, path, headers, json.loads(body) if body else None)
                )
                answer = self.replies.pop(0)
                if answer is None:
                    return
                await stream.send_all(answer)


@pytest.fixture
async def http_script() -> AsyncIterator[HttpScript]:
    script = HttpScript()
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        script.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.start_soon(trio.serve_listeners, script.serve, [listener])
        yield script
        nursery.cancel_scope.cancel()


class Talk:
    """The exchange's end of a WebSocket."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self.connection = connection

    async def hear(self) -> Any:
        return json.loads(await self.connection.get_message())

    async def say(self, **message: Any) -> None:
        await self.connection.send_message(json.dumps(message))

    async def close(self, code: int, reason: str) -> None:
        await self.connection.aclose(code, reason)

    async def until_gone(self) -> None:
        """Wait until the client has left."""
        while True:
            await self.connection.get_message()


Part = Callable[[Talk], Awaitable[None]]


class SocketScript:
    """Plays the next of `parts` on each connection; when there are no more, `rejection`."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.rejection: tuple[int, bytes] = (404, b"not here")
        self.paths: list[str] = []
        self.played = 0
        self.url = ""

    async def serve(self, request: WebSocketRequest) -> None:
        self.paths.append(request.path)
        if self.played == len(self.parts):
            status, body = self.rejection
            await request.reject(status, body=body)
            return
        part = self.parts[self.played]
        self.played += 1
        connection = await request.accept()
        with suppress(ConnectionClosed):
            await part(Talk(connection))

    def part(self, part: Part) -> Part:
        """Add a part."""
        self.parts.append(part)
        return part


@pytest.fixture
async def socket_script() -> AsyncIterator[SocketScript]:
    script = SocketScript()
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, script.serve, "127.0.0.1", 0, None)
        script.url = f"http://127.0.0.1:{server.port}"
        yield script
        nursery.cancel_scope.cancel()


ORDER: dict[str, Any] = {
    "order_id": "order-1",
    "client_id": "client-A",
    "instrument": "BTC-USD",
    "side": "buy",
    "type": "limit",
    "price": 70150.5,
    "quantity": 0.25,
    "filled_quantity": 0,
    "remaining_quantity": 0.25,
    "average_price": None,
    "time_in_force": "gtc",
    "post_only": False,
    "self_trade_prevention": "none",
    "status": "open",
    "closed": False,
    "reject_reason": None,
    "created_at": "2025-01-31T08:00:00.000001Z",
    "updated_at": "2025-01-31T08:00:00.000001Z",
    "sequence": 1238,
    "updated_sequence": 1238,
}
