"""`GET /events`: the streams as Server-Sent Events (WHATWG HTML, 9.2), for EventSource and curl."""

from typing import Final

import msgspec
import trio

from tradeclear.gateway.fields import INTEGER_DIGITS_MAX, integer
from tradeclear.gateway.guard import ROUTE, Message, Receive, Scope, Send, send_reply
from tradeclear.gateway.problems import (
    INVALID_FIELD,
    METHOD_NOT_ALLOWED,
    OVERLOADED,
    RATE_LIMITED,
    Reply,
    problem,
)
from tradeclear.gateway.rate_limits import RateLimits
from tradeclear.gateway.refusals import refusal
from tradeclear.gateway.routing import Call, Parameter, Route, read_query
from tradeclear.gateway.streams.catching_up import Start
from tradeclear.gateway.streams.message import COMMENT, events
from tradeclear.gateway.streams.outlet import Outlet
from tradeclear.gateway.streams.requests import SEQUENCE_MAX, make_start
from tradeclear.gateway.streams.session import StreamSession
from tradeclear.gateway.streams.streams import Streams
from tradeclear.gateway.streams.topic import CHANNELS, INTERVALS_MS
from tradeclear.model.errors import InvalidField, TradeclearError

PATH: Final = "/events"
LAST_EVENT_ID: Final = b"last-event-id"
HEARTBEAT_S: Final = 10.0
RETRY: Final = b"retry: 1000\n\n"
RETRY_S: Final = 1.0
INSTRUMENTS_MAX: Final = 100

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
_PARAMETERS: Final = (
    Parameter(
        "channels",
        f"Separated by commas: {', '.join(CHANNELS)}.",
        {"type": "string", "default": "orderbook_deltas,trades"},
    ),
    Parameter(
        "instrument", "One, or several by commas. The first of the configuration if left out."
    ),
    Parameter("client_id", "Whose orders; needed for the channel orders."),
    Parameter(
        "interval_ms",
        "Conflate depth: at most one message in so many milliseconds.",
        {"type": "integer", "enum": list(INTERVALS_MS)},
    ),
    Parameter(
        "from_sequence",
        "Go on after this sequence. The header Last-Event-ID goes before it.",
        {"type": "integer", "minimum": 0},
    ),
)


class EventStream:
    """An ASGI app for one path: Quart would not let a response end with its reader."""

    def __init__(self, streams: Streams, limits: RateLimits) -> None:
        self._streams: Final = streams
        self._limits: Final = limits
        self.route: Final = Route(
            method="GET",
            path=PATH,
            name="events",
            summary="The streams as Server-Sent Events (docs/streams.md)",
            tag="streams",
            endpoint=_described_only,
            parameters=_PARAMETERS,
            replies={200: None},
            problems=(INVALID_FIELD, RATE_LIMITED, OVERLOADED),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ROUTE] = self.route.label
        address = (scope.get("client") or ("", 0))[0]
        try:
            if scope["method"] != "GET":
                allowed = [("Allow", "GET")]
                refused = problem(METHOD_NOT_ALLOWED, "this route takes GET", headers=allowed)
                await send_reply(refused, send)
                return
            self._limits.charge_address(address)
            start = self._read(scope)
        except TradeclearError as error:
            await send_reply(refusal(error), send)
            return
        outlet = Outlet(self._streams, events)
        session = StreamSession(self._streams, self._limits, outlet, address)
        if not self._streams.enter(outlet):
            busy = problem(OVERLOADED, "too many connections", retry_after_s=RETRY_S)
            await send_reply(busy, send)
            return
        try:
            session.begin(start)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.run)
                nursery.start_soon(_wait_gone, receive, nursery.cancel_scope)
                await _write(outlet, send)
                nursery.cancel_scope.cancel()
        except TradeclearError as error:
            await send_reply(refusal(error), send)
        finally:
            self._streams.exit(outlet)

    def _read(self, scope: Scope) -> Start:
        """What the query asks for. Raises `InvalidField`."""
        query = read_query(self.route, scope["query_string"].decode("latin-1"))
        names: list[str | None] = [*query["instrument"].split(",")] if "instrument" in query else []
        if len(names) > INSTRUMENTS_MAX:
            raise InvalidField("instrument", f"must be at most {INSTRUMENTS_MAX}")
        interval = query.get("interval_ms")
        return make_start(
            channels=query.get("channels", "orderbook_deltas,trades").split(","),
            names=names or [None],
            client_id=query.get("client_id"),
            from_sequence=_position(scope, query.get("from_sequence")),
            interval_ms=None if interval is None else integer("interval_ms", interval, 1, 10_000),
            instruments=self._streams.exchange,
        )


def _position(scope: Scope, given: str | None) -> int | None:
    """Where to go on. A `Last-Event-ID` that is none of ours is as good as none."""
    for name, value in scope["headers"]:
        if name.lower() == LAST_EVENT_ID and value.isdigit() and len(value) <= INTEGER_DIGITS_MAX:
            return int(value)
    return None if given is None else integer("from_sequence", given, 0, SEQUENCE_MAX)


async def _write(outlet: Outlet, send: Send) -> None:
    """Send what is told, or a comment now and then, to the farewell."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send(_body(RETRY))
    while True:
        data = COMMENT
        with trio.move_on_after(HEARTBEAT_S):
            data = await outlet.take()
        if not data:
            break
        await send(_body(data))
    assert outlet.farewell is not None
    code, reason = outlet.farewell
    last = msgspec.json.encode({"type": "closed", "code": code, "reason": reason})
    await send(_body(b"data: %b\n\n" % last, more=False))


def _body(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def _wait_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _described_only(_call: Call) -> Reply:
    raise AssertionError("a stream is no reply")
