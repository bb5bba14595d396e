"""Hypercorn's HTTP/1.1, made strict: no other protocol, no ambiguous framing, problems in JSON."""

from http import HTTPStatus
from typing import Any, Final

import h11
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import Handshake, WSStream

from tradeclear.gateway.problems import (
    HEADERS_TOO_LARGE,
    MALFORMED_REQUEST,
    REQUEST_TIMEOUT,
    Kind,
    problem,
)

VERSIONS: Final = (b"1.0", b"1.1")
COMPLETE: Final = (h11.DONE, h11.MUST_CLOSE, h11.CLOSED)


class Refused(Exception):
    """The request's head is not acceptable; the connection ends with the answer to it."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


PHRASES: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
"""Reason phrases. They may be empty, and there are clients that then see no status at all."""


class Parser(h11.Connection):
    """h11, which remembers what it found wrong."""

    problem = "the request is not proper HTTP"

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next event. What follows a connection's last request is left alone, not refused."""
        if self.their_state is h11.MUST_CLOSE and self.trailing_data[0]:
            return h11.PAUSED
        try:
            return super().next_event()
        except h11.RemoteProtocolError as error:
            self.problem = str(error)
            raise


class Http1(H11Protocol):
    """One connection's requests."""

    connection: Parser
    _head_only = False

    async def initiate(self) -> None:
        self.connection = Parser(
            h11.SERVER, max_incomplete_event_size=self.config.h11_max_incomplete_size
        )

    @property
    def read_whole(self) -> bool:
        """Whether the request under way has been read to its end, and nothing after it."""
        return self.connection.their_state in COMPLETE and not self.connection.trailing_data[0]

    @property
    def awaits_reply(self) -> bool:
        """Whether a request has been read whole and waits for its answer, or that is under way."""
        return self.stream is not None and (
            self.connection.their_state in COMPLETE or self.connection.our_state is h11.SEND_BODY
        )

    async def handle(self, event: Event) -> None:
        if isinstance(event, RawData) and event.data and self._shakes_hands:
            await self.send(Closed())  # it was to wait for our answer
            return
        try:
            await super().handle(event)
        except Refused as refused:
            await self.refuse(refused.kind, refused.detail)
            await self.send(Closed())

    async def refuse(self, kind: Kind, detail: str) -> None:
        """Answer without asking the app. The connection must be closed afterwards."""
        if self.connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        reply = problem(kind, detail)
        headers = [
            (b"content-type", reply.content_type.encode()),
            (b"content-length", str(len(reply.body)).encode()),
            (b"connection", b"close"),
            *self.config.response_headers("h11"),
        ]
        await self._send_h11_event(h11.Response(status_code=reply.status, headers=headers))
        if self._head_only:
            return
        await self._send_h11_event(h11.Data(data=reply.body))
        await self._send_h11_event(h11.EndOfMessage())

    async def _send_h11_event(self, event: Any) -> None:
        """Send an event of h11's, a response with its reason phrase."""
        if isinstance(event, h11.Response):
            phrase = PHRASES.get(event.status_code, b"")
            event = h11.Response(
                status_code=event.status_code, headers=event.headers, reason=phrase
            )
        await super()._send_h11_event(event)

    async def _send_error_response(self, status_code: int) -> None:
        kind = {408: REQUEST_TIMEOUT, 431: HEADERS_TOO_LARGE}.get(status_code, MALFORMED_REQUEST)
        await self.refuse(kind, self.connection.problem)

    async def _check_protocol(self, event: h11.Request) -> None:
        """Refuse what proxies and we might read differently. There is no upgrade to HTTP/2."""
        self._head_only = event.method == b"HEAD"
        size = len(event.target) + sum(len(name) + len(value) + 4 for name, value in event.headers)
        if size > self.config.h11_max_incomplete_size:
            raise Refused(
                HEADERS_TOO_LARGE,
                f"the head must be at most {self.config.h11_max_incomplete_size} bytes",
            )
        if event.http_version not in VERSIONS:
            raise Refused(MALFORMED_REQUEST, "this is a server of HTTP/1.1")
        names = [name for name, _value in event.headers]
        if b"transfer-encoding" in names:
            if b"content-length" in names:
                raise Refused(
                    MALFORMED_REQUEST, "Content-Length and Transfer-Encoding exclude each other"
                )
            if event.http_version != b"1.1":
                raise Refused(MALFORMED_REQUEST, "HTTP/1.0 knows no Transfer-Encoding")

        await self._check_handshake(event)

    async def _check_handshake(self, event: h11.Request) -> None:
        """Refuse a WebSocket that can't be one: Hypercorn would leave the connection open."""
        headers = list(event.headers)
        try:
            handshake = Handshake(headers, event.http_version.decode())
            upgrade = (handshake.upgrade or b"").lower() == b"websocket"
            tokens = [token.lower() for token in handshake.connection_tokens or ()]
            if not (upgrade and "upgrade" in tokens and event.method == b"GET"):
                return
            valid = handshake.is_valid()
        except UnicodeDecodeError:
            raise Refused(MALFORMED_REQUEST, "a header is not ASCII") from None
        if not valid:
            raise Refused(MALFORMED_REQUEST, "a WebSocket needs version 13 and a key")
        if self.connection.trailing_data[0]:
            raise Refused(MALFORMED_REQUEST, "a WebSocket begins when its handshake is answered")

    async def _create_stream(self, request: h11.Request) -> None:
        """Begin a request. No compression is agreed on: a few bytes could become gigabytes."""
        kept = [header for header in request.headers if header[0] != b"sec-websocket-extensions"]
        if len(kept) < len(request.headers):
            request = h11.Request(
                method=request.method,
                target=request.target,
                headers=kept,
                http_version=request.http_version,
            )
        await super()._create_stream(request)

    @property
    def _shakes_hands(self) -> bool:
        return isinstance(self.stream, WSStream) and not self.stream.handshake.accepted

    async def _maybe_recycle(self) -> None:
        self._head_only = False
        await super()._maybe_recycle()
