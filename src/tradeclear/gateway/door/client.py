"""A connection that speaks HTTP: requests in, responses out in the order of their requests."""

from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

import trio
from msgspec import Struct

from tradeclear.gateway.door.head import END
from tradeclear.gateway.door.peer import Peer

if TYPE_CHECKING:
    from tradeclear.gateway.door.reactor import Reactor

PIPELINE_MAX: Final = 256
"""So many requests of one connection are under way before no more is read from it."""


class HandOver(Struct, frozen=True):
    """The connection goes on at the door behind, with these bytes first."""

    rest: bytes


class Upgrade(Struct, frozen=True):
    """The connection goes on as a WebSocket, with these bytes first. `key`: the handshake's."""

    key: bytes
    rest: bytes


Next: TypeAlias = HandOver | Upgrade


class Slot:
    """The place of one request's response in the order of its connection."""

    __slots__ = ("client", "response")

    def __init__(self, client: "Client") -> None:
        self.client: Final = client
        self.response: bytes | None = None

    def fill(self, response: bytes) -> None:
        """The response is there: it leaves with the next flush, in its turn."""
        self.response = response
        self.client.filled()


class Client(Peer[Next]):
    """An HTTP connection that has sent nothing yet but hot requests."""

    def __init__(self, reactor: "Reactor", stream: trio.SocketStream, address: str) -> None:
        super().__init__(reactor, stream, address)
        self._buffer = b""
        self._in_flight: Final[deque[Slot]] = deque()
        self._last = False
        self._next: Next | None = None
        self._partial_since = reactor.now

    # Reading

    def take(self, data: bytes) -> None:
        """Begin every request that is whole now."""
        if self._buffer:
            self._buffer += data
        else:
            self._buffer = data
            self._partial_since = self._reactor.now
        self._begin()

    def _begin(self) -> None:
        """Begin requests until the buffer holds no whole one or too many are under way."""
        data, position = self._buffer, 0
        reactor = self._reactor
        while position < len(data) and len(self._in_flight) < PIPELINE_MAX:
            body = data.find(END, position) + len(END)
            if body < len(END):
                if len(data) - position <= reactor.bounds.header_bytes_max:
                    break
                return self._finish(HandOver(data[position:]))
            if body - position > reactor.bounds.header_bytes_max:
                return self._finish(HandOver(data[position:]))
            head = reactor.read_head(data[position:body])
            if head is None or head.length > reactor.bounds.body_bytes_max:
                return self._finish(HandOver(data[position:]))
            if head.route == "order_socket":
                return self._finish(Upgrade(head.websocket_key, data[body:]))
            after = body + head.length
            if after > len(data):
                break
            slot = Slot(self)
            self._in_flight.append(slot)
            reactor.begin(slot, head, data[body:after])
            position = after
        if position:
            self._buffer = data[position:]
            self._partial_since = reactor.now
        return self.look()

    def at_end(self) -> None:
        """Answer what was asked, then close."""
        self._finish(None)

    def _finish(self, then: Next | None) -> None:
        """Begin no further request; `then` comes when all that was begun is answered."""
        self._last, self._next = True, then
        self._buffer = b""
        if self._in_flight or not self.all_sent:
            self.look()
        else:
            self.end(then)

    def reads(self) -> bool:
        """Not while too many requests are under way."""
        return not self._last and len(self._in_flight) < PIPELINE_MAX

    # Writing

    def filled(self) -> None:
        """Queue the responses whose turn it is."""
        in_flight = self._in_flight
        while in_flight and in_flight[0].response is not None:
            self.queue(in_flight[0].response)
            in_flight.popleft()

    def flushed(self) -> None:
        """Go on with what was read in the meantime, or end."""
        if self._last:
            if not self._in_flight:
                self.end(self._next)
        elif self._buffer:
            self._begin()
        else:
            self.look()

    # Ending

    def close_when_done(self) -> None:
        """Close after what is under way; now, if nothing is."""
        if not self._last:
            self._finish(None)

    def check(self) -> None:
        """End what takes too long: a reply, a request, the next request."""
        bounds = self._reactor.bounds
        now = self._reactor.now
        if self.blocked_s > bounds.write_timeout_s:
            self.end()
        elif self._in_flight or self._last:
            pass
        elif self._buffer:
            self._check_partial(now - self._partial_since)
        elif now - self.quiet_since > bounds.keep_alive_timeout_s:
            self.end()

    def _check_partial(self, waited_s: float) -> None:
        bounds = self._reactor.bounds
        if END not in self._buffer:
            if waited_s > bounds.header_timeout_s:
                self._refuse("head", bounds.header_timeout_s)
        elif waited_s > bounds.header_timeout_s + bounds.body_timeout_s:
            self._refuse("body", bounds.body_timeout_s)

    def _refuse(self, what: str, seconds: float) -> None:
        """Answer what can't be waited for, and close."""
        self.queue(self._reactor.too_slow(what, seconds))
        self._finish(None)
