"""The simulator's port: REST by h11, WebSockets by trio-websocket, one handler a connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import h11
import msgspec
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from tradeclear.testing.venue_sim.hub import Subscriber
from tradeclear.testing.venue_sim.prefixed import Prefixed
from tradeclear.testing.venue_sim.rest import Rest, SimReply
from tradeclear.testing.venue_sim.venue import FAULT_LOOK_S, Venue

HEAD_BYTES_MAX: Final = 16_384
BODY_BYTES_MAX: Final = 65_536
IDLE_S_MAX: Final = 60.0
PING_S: Final = 20.0
CLOSE_S_MAX: Final = 1.0
STREAMS_MAX: Final = 1_024


class Door:
    """Takes connections for `venue`, unless there is an outage."""

    def __init__(self, venue: Venue) -> None:
        self._venue: Final = venue
        self._rest: Final = Rest(venue)
        self._open: Final[set[trio.abc.Stream]] = set()
        self._out = False

    @property
    def rest(self) -> Rest:
        """What answers requests."""
        return self._rest

    async def handle(self, stream: trio.abc.Stream) -> None:
        """One connection, whatever it wants."""
        if self._out:
            await trio.aclose_forcefully(stream)
            return
        self._open.add(stream)
        try:
            await self._serve(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError):
            pass  # the client is gone or speaks something else
        finally:
            self._open.discard(stream)
            await trio.aclose_forcefully(stream)

    async def _serve(self, stream: trio.abc.Stream) -> None:
        first = b""
        with trio.move_on_after(IDLE_S_MAX):
            while b"\r\n\r\n" not in first:
                data = await stream.receive_some(HEAD_BYTES_MAX)
                if not data or len(first) > HEAD_BYTES_MAX:
                    return
                first += data
        if b"upgrade: websocket" in first.partition(b"\r\n\r\n")[0].lower():
            await self._serve_socket(Prefixed(stream, first))
        else:
            await self._serve_rest(Prefixed(stream, first))

    async def _serve_rest(self, stream: Prefixed) -> None:
        http = h11.Connection(h11.SERVER)
        while True:
            request, body = None, b""
            while not isinstance(event := http.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    with trio.move_on_after(IDLE_S_MAX) as idle:
                        http.receive_data(await stream.receive_some(HEAD_BYTES_MAX))
                    if idle.cancelled_caught:
                        return
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data) and len(body) <= BODY_BYTES_MAX:
                    body += event.data
                elif isinstance(event, h11.ConnectionClosed):
                    return
            assert request is not None, "h11 ends no message that it did not begin"
            method, target = request.method.decode(), request.target.decode("latin-1")
            reply = await self._rest.answer(method, target, body)
            await _send(http, stream, reply, head=method == "HEAD")
            if http.our_state is not h11.DONE:
                return
            http.start_next_cycle()

    async def _serve_socket(self, stream: Prefixed) -> None:
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            socket = await request.accept()
            subscriber = _subscriber(socket, request.path)
            self._venue.hub.add(subscriber)
            try:
                nursery.start_soon(_ping, subscriber)
                with suppress(ConnectionClosed):
                    while True:
                        answer = _command(subscriber, await socket.get_message())
                        await subscriber.send_frame(msgspec.json.encode(answer).decode())
            finally:
                self._venue.hub.subscribers.discard(subscriber)
                with trio.move_on_after(CLOSE_S_MAX, shield=True):
                    await socket.aclose()
            nursery.cancel_scope.cancel()

    async def watch(self) -> None:
        """Have happen what happens to connections as a whole."""
        venue = self._venue
        while True:
            now = trio.current_time()
            if venue.faults.take("half_open", now):
                venue.hub.silence()
            if venue.faults.take("disconnect", now):
                for subscriber in tuple(venue.hub.subscribers):
                    await subscriber.close(1001, "24 hours are over")
            self._out = venue.faults.lasting("outage", now) is not None
            if self._out:
                for stream in tuple(self._open):
                    await trio.aclose_forcefully(stream)
            await trio.sleep(FAULT_LOOK_S)


async def _send(http: h11.Connection, stream: Prefixed, reply: SimReply, *, head: bool) -> None:
    headers = [
        ("Content-Type", "application/json;charset=UTF-8"),
        ("Content-Length", str(len(reply.body))),
        *reply.headers,
    ]
    sent = http.send(h11.Response(status_code=reply.status, headers=headers)) or b""
    sent += http.send(h11.Data(data=b"" if head else reply.body)) or b""
    sent += http.send(h11.EndOfMessage()) or b""
    await stream.send_all(sent)


async def _ping(subscriber: Subscriber) -> None:
    with suppress(ConnectionClosed):
        while True:
            await trio.sleep(PING_S)
            await subscriber.ping()


def _subscriber(socket: WebSocketConnection, path: str) -> Subscriber:
    """Who asked for `/ws/a/b` or `/stream?streams=a/b`."""
    parts = urlsplit(path)
    combined = parts.path.rstrip("/") == "/stream"
    if combined:
        names = "/".join(parse_qs(parts.query).get("streams", []))
    else:
        names = parts.path.removeprefix("/ws").strip("/")
    streams = [name for name in names.split("/") if name][:STREAMS_MAX]
    return Subscriber(socket, streams, combined=combined)


class _Command(msgspec.Struct):
    method: str
    id: int | str | None = None
    params: list[str] = []


def _command(subscriber: Subscriber, text: str | bytes) -> dict[str, Any]:
    """Carry out what a subscriber sends; the answer."""
    try:
        command = msgspec.json.decode(text, type=_Command)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return {"error": {"code": 2, "msg": f"Invalid request: {error}"}, "id": None}
    match command.method:
        case "SUBSCRIBE":
            for name in command.params[:STREAMS_MAX]:
                subscriber.streams[name] = None
            return {"result": None, "id": command.id}
        case "UNSUBSCRIBE":
            for name in command.params:
                subscriber.streams.pop(name, None)
            return {"result": None, "id": command.id}
        case "LIST_SUBSCRIPTIONS":
            return {"result": list(subscriber.streams), "id": command.id}
    return {"error": {"code": 2, "msg": f"unknown method {command.method}"}, "id": command.id}


@asynccontextmanager
async def running_venue(
    venue: Venue, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """`venue` at play on a port of its own (0: a free one); gives host:port. Raises `OSError`."""
    door = Door(venue)
    listeners = await trio.open_tcp_listeners(port, host=host)
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, door.handle, listeners)
        nursery.start_soon(venue.hub.run)
        nursery.start_soon(door.watch)
        nursery.start_soon(venue.run)
        bound: tuple[str, int] = listeners[0].socket.getsockname()[:2]
        yield f"{bound[0]}:{bound[1]}"
        nursery.cancel_scope.cancel()
