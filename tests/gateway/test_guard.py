"""The rule: the app sees whole requests only, and whoever asks is answered."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

from tradeclear.gateway.guard import BODY_PIECES_MAX, ROUTE, Guard, plain_path
from tradeclear.telemetry.metrics import Metrics


class Wire:
    """The server's side of an ASGI app: what it gives, and what it was sent."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.sent: list[Any] = []
        self.emptied = trio.Event()

    async def receive(self) -> Any:
        await trio.lowlevel.checkpoint()
        if not self.messages:
            await trio.sleep_forever()
        message = self.messages.pop(0)
        if not self.messages:
            self.emptied.set()
        return message

    async def send(self, message: Any) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append(message)

    @property
    def reply(self) -> tuple[int, Any]:
        start, body = self.sent
        return start["status"], json.loads(body["body"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


def piece(body: bytes = b"", more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}
App = Callable[[Any, Any, Any], Awaitable[None]]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the body that it was given."""
    message = await receive()
    assert message["more_body"] is False
    scope[ROUTE] = "GET /echo"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(len(message["body"])).encode()})


async def ask(
    wire: Wire, app: App = echo, headers: tuple[tuple[bytes, bytes], ...] = (), most: int = 100
) -> Metrics:
    metrics = Metrics()
    guard = Guard(app, metrics, body_bytes_max=most, body_timeout_s=10)
    scope = {"type": "http", "method": "POST", "raw_path": b"/x", "headers": list(headers)}
    with trio.fail_after(60):
        await guard(scope, wire.receive, wire.send)
    return metrics


async def test_a_body_in_pieces_arrives_whole() -> None:
    wire = Wire(piece(b"a" * 60, True), piece(b"", True), piece(b"a" * 40))
    metrics = await ask(wire)
    assert wire.reply == (200, 100)
    assert metrics.requests == {("GET /echo", 200): 1}


async def test_gone_before_the_body_was_whole() -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the app was asked")

    wire = Wire(piece(b"half", True), GONE)
    await ask(wire, never)
    assert wire.sent == []


async def test_the_app_learns_that_the_client_went_after_the_body() -> None:
    told: list[str] = []

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        told.extend([(await receive())["type"] for _ in range(2)])

    await ask(Wire(piece(), GONE), listening)
    assert told == ["http.request", "http.disconnect"]


@pytest.mark.parametrize(
    ("headers", "messages"),
    [
        ([(b"content-length", b"101")], [piece(b"", True)]),
        ([(b"content-length", b"9" * 4000)], [piece(b"", True)]),
        ([], [piece(b"a" * 60, True), piece(b"a" * 41)]),
        ([], [piece(b"a" * 101, True)]),
    ],
)
async def test_a_large_body_is_413_and_taken_in(
    headers: Any, messages: Any, autojump_clock: trio.testing.MockClock
) -> None:
    rest = [piece(b"a", True)] * 50
    wire = Wire(*messages, *rest, GONE)

    async def slow_send(message: Any) -> None:
        await wire.emptied.wait()
        wire.sent.append(message)

    wire.send = slow_send  # type: ignore[method-assign]
    metrics = await ask(wire, headers=tuple(headers))
    status, told = wire.reply
    assert (status, told["name"]) == (413, "body_too_large")
    assert wire.headers[b"connection"] == b"close"
    assert wire.messages == []
    assert metrics.requests == {("unmatched", 413): 1}


async def test_too_many_pieces_are_413() -> None:
    wire = Wire(*[piece(b"", True)] * (BODY_PIECES_MAX + 1))
    await ask(wire)
    assert wire.reply[0] == 413


async def test_a_slow_body_is_408(autojump_clock: trio.testing.MockClock) -> None:
    wire = Wire(piece(b"half", True))
    await ask(wire)
    status, told = wire.reply
    assert (status, told["name"]) == (408, "request_timeout")
    assert wire.headers[b"connection"] == b"close"
    assert trio.current_time() == 10


async def test_a_body_that_trickles_is_408_too(autojump_clock: trio.testing.MockClock) -> None:
    wire = Wire()

    async def trickle() -> Any:
        await trio.sleep(3)
        return piece(b"a", True)

    wire.receive = trickle  # type: ignore[method-assign]
    await ask(wire)
    assert wire.reply[0] == 408
    assert trio.current_time() == 10


async def test_a_fault_is_503_and_logged() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    wire = Wire(piece())
    metrics = await ask(wire, broken)
    status, told = wire.reply
    assert (status, told["name"]) == (503, "internal_error")
    assert metrics.requests == {("unmatched", 503): 1}


async def test_a_fault_after_the_reply_began_adds_nothing() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ExceptionGroup("", [ZeroDivisionError()])

    wire = Wire(piece())
    await ask(wire, broken)
    assert [message["type"] for message in wire.sent] == ["http.response.start"]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/orders", "/orders"),
        (b"/orders?x=1", "/orders"),
        (b"/%6frders", "/orders"),
        (b"/orders/a%2Fb%2fc", "/orders/a%2Fb%2Fc"),
        (b"/orders/%ff", "/orders/\ufffd"),
        (b"/orders/%00", "/orders/\x00"),
        (b"", "/"),
        (b"*", "/*"),
        (b"x:443", "/x:443"),
        (b"http://host", "/"),
        (b"http://host/orders", "/orders"),
        (b"http://[bad/orders", "/orders"),
        (b"?", "/"),
    ],
)
def test_paths_come_in_one_form(raw: bytes, path: str) -> None:
    assert plain_path(raw) == path
