"""What stands between the server and the app, so that no request can wedge or break either.

The body is read whole before the app is asked, within a size and a time; what can't be read is
refused with the connection closed behind it, while the rest of the body is still taken in. The path
is brought to one form. An exception that nobody caught becomes a problem like any other.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import trio

from tradeclear.gateway.decode import RequestRefused
from tradeclear.gateway.problems import (
    BODY_TOO_LARGE,
    INTERNAL_ERROR,
    REQUEST_TIMEOUT,
    Reply,
    problem,
)
from tradeclear.telemetry.events import REQUEST_FAILED
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_PIECES_MAX: Final = 2_048
"""A body in more pieces than that is an attack: each costs a turn of the loop. The largest body
fits in half as many segments of the smallest network."""

ROUTE: Final = "tradeclear.route"
"""Where the app notes in the scope which route it was, for the count of requests."""

FAULT: Final = "tradeclear.fault"
"""Where the app notes in the scope that it met a fault, which it has logged."""

UNMATCHED: Final = "unmatched"
RETRY_S: Final = 1.0


class Guard:
    """An ASGI app around an ASGI app."""

    def __init__(
        self, app: App, metrics: Metrics, *, body_bytes_max: int, body_timeout_s: float
    ) -> None:
        self._app: Final = app
        self._metrics: Final = metrics
        self._body_bytes_max: Final = body_bytes_max
        self._body_timeout_s: Final = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        inner = {**scope, "path": plain_path(scope["raw_path"])}
        if scope["type"] == "http":
            await self._http(inner, receive, send)
        else:
            await self._websocket(inner, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Cancelled, or gone before its body was whole, the app never hears of it."""
        started = False

        async def counted(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                route = scope.get(ROUTE, UNMATCHED)
                self._metrics.requests[route, int(message["status"])] += 1
            await send(message)

        try:
            body = await self._read_body(scope, receive)
            if body is not None:
                await self._app(scope, _replay(body, receive), counted)
        except RequestRefused as error:
            reply = problem(error.kind, error.detail, headers=[("Connection", "close")])
            await _refuse(reply, receive, counted)
        except Exception as error:
            log.exception(REQUEST_FAILED, route=scope.get(ROUTE, UNMATCHED), problem=repr(error))
            if not started:
                await send_reply(internal_error(), counted)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One WebSocket. After a fault it is closed with 1011, or refused if it wasn't open yet."""
        sent: set[str] = set()

        async def noted(message: Message) -> None:
            sent.add(message["type"])
            if message["type"] == "websocket.close" and FAULT in scope:
                message = {**message, "code": 1011}
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            log.exception(REQUEST_FAILED, route=scope["path"], problem=repr(error))
            if not sent:
                await send_reply(internal_error(), send, "websocket.http")
            elif sent.isdisjoint(("websocket.close", "websocket.http.response.start")):
                await send({"type": "websocket.close", "code": 1011})

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None if the client went away. Raises `RequestRefused`."""
        most = self._body_bytes_max
        too_large = RequestRefused(BODY_TOO_LARGE, f"the body must be at most {most} bytes")
        if _declared_bytes(scope) > most:
            raise too_large
        body = bytearray()
        with trio.move_on_after(self._body_timeout_s):
            for _piece in range(BODY_PIECES_MAX):
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                if len(body) > most:
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(body)
            raise RequestRefused(BODY_TOO_LARGE, "the body comes in too many pieces")
        raise RequestRefused(
            REQUEST_TIMEOUT, f"the body must be there within {self._body_timeout_s:g} s"
        )


def _declared_bytes(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value[:18])
    return 0


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body in one piece, then whatever comes, which is the end."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(reply: Reply, receive: Receive, send: Send) -> None:
    """Answer early, and meanwhile take in what still comes: nobody else would."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_drain, receive)
        await send_reply(reply, send)
        nursery.cancel_scope.cancel()


async def _drain(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_reply(reply: Reply, send: Send, protocol: str = "http") -> None:
    """Send `reply` the ASGI way; `websocket.http` refuses a WebSocket with it."""
    headers = [
        (b"content-type", reply.content_type.encode()),
        (b"content-length", str(len(reply.body)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in reply.headers),
    ]
    start = {"type": f"{protocol}.response.start", "status": reply.status, "headers": headers}
    await send(start)
    await send({"type": f"{protocol}.response.body", "body": reply.body, "more_body": False})


def internal_error() -> Reply:
    """What is said when a request met a bug of ours."""
    return problem(
        INTERNAL_ERROR,
        "the request met a fault that is logged; a command may or may not have taken effect: ask "
        "again with its idempotency key",
        retry_after_s=RETRY_S,
    )


def plain_path(raw: bytes) -> str:
    """A request target's path, decoded once, but for `%2F`, which stays as it is inside an id.

    An absolute URL loses its scheme and host. The result begins with a slash.
    """
    path = raw.decode("latin-1").partition("?")[0]
    if not path.startswith("/"):
        _scheme, found, rest = path.partition("://")
        path = "/" + (rest.partition("/")[2] if found else path)
    return unquote(path.replace("%2F", "%252F").replace("%2f", "%252F"))
