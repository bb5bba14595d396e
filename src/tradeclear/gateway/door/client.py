"""A connection that speaks HTTP: requests in, responses out in the order of their requests.

Requests that were sent ahead are begun at once, as long as what they do comes to the same as one
after the other: the exchange carries commands out in the order in which they are begun. A request
that has to look at the book first waits alone (`Head.alone`).
"""

from collections import deque
from select import EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING, Final

import trio

from tradeclear.gateway.door.endings import Goodbye, HandOver, Next, Upgrade
from tradeclear.gateway.door.head import END, Head, is_hopeless
from tradeclear.gateway.door.peer import Peer
from tradeclear.gateway.door.slot import Slot

if TYPE_CHECKING:
    from tradeclear.gateway.door.reactor import Reactor

PIPELINE_MAX: Final = 256
"""So many requests of one connection are under way before no more is read from it."""


class Client(Peer[Next]):
    """An HTTP connection that has sent nothing yet but hot requests."""

    def __init__(self, reactor: "Reactor", stream: trio.SocketStream, address: str) -> None:
        super().__init__(reactor, stream, address)
        self._in_flight: Final[deque[Slot]] = deque()
        self._partial: Final = bytearray()  # the beginning of a request
        self._partial_bytes_wanted = 0
        self._partial_since = reactor.now
        self._held = b""  # requests that are not begun yet: there is no room or no turn
        self._alone = False  # nothing is begun before all is answered
        self._last = False
        self._next: Next | None = None

    # Reading

    def take(self, data: bytes) -> None:
        """Begin what is whole now."""
        if self._partial:
            self._take_more(data)
        else:
            self._begin(data)

    def _take_more(self, data: bytes) -> None:
        self._partial.extend(data)
        if len(self._partial) < self._partial_bytes_wanted:
            return
        since, data = self._partial_since, bytes(self._partial)
        self._partial.clear()
        if not self._begin(data):
            self._partial_since = since

    def _begin(self, data: bytes) -> bool:
        """Begin the requests in `data`, as many as may be. False if not even one was."""
        reactor, in_flight = self._reactor, self._in_flight
        bounds = reactor.bounds
        room = PIPELINE_MAX - len(in_flight)
        if room > reactor.share:
            room = reactor.share
        position, size = 0, len(data)
        while position < size and room:
            body = data.find(END, position) + len(END)
            if body < len(END):
                self._wait_for_head(data[position:])
                return position > 0
            head = None
            if body - position <= bounds.header_bytes_max:
                head = reactor.read_head(data[position:body])
            if head is None or head.length > bounds.body_bytes_max:
                self._finish(HandOver(data[position:]))
                return position > 0
            after = body + head.length
            if after > size:
                self._keep(data[position:], after - position)
                return position > 0
            if head.alone:
                self._alone = True
                if in_flight:
                    break
                if head.websocket_key:
                    self._upgrade(head, data[position:], after - position)
                    return position > 0
                room = 1
            slot = Slot(self)
            in_flight.append(slot)
            reactor.begin(slot, head, data[body:after])
            position = after
            room -= 1
        if position < size or not room:
            self._held = data[position:]
            self.look()
        return position > 0

    def _wait_for_head(self, rest: bytes) -> None:
        """Wait for more of a head that is not whole, if more can mend it."""
        if len(rest) > self._reactor.bounds.header_bytes_max or is_hopeless(rest):
            self._finish(HandOver(rest))
        else:
            self._keep(rest, 0)

    def _upgrade(self, head: Head, request: bytes, size: int) -> None:
        """Go on as a WebSocket. Nothing may come before our answer: the door behind says so."""
        if len(request) > size:
            self._finish(HandOver(request))
        else:
            self._finish(Upgrade(head.route, head.websocket_key))

    def _keep(self, rest: bytes, bytes_wanted: int) -> None:
        """Wait until the request that begins with `rest` has `bytes_wanted`, or any more."""
        self._partial.extend(rest)
        self._partial_bytes_wanted = bytes_wanted
        self._partial_since = self._reactor.now

    def go_on(self) -> None:
        """Begin what was held back."""
        held, self._held = self._held, b""
        self._begin(held)
        self.look()

    def at_end(self) -> None:
        """Answer what was asked, then close; half a request is for the door behind to judge."""
        self._finish(HandOver(bytes(self._partial)) if self._partial else None)

    def _finish(self, then: Next | None) -> None:
        """Begin no further request; `then` comes when all that was begun is answered."""
        self._last, self._next = True, then
        self._partial.clear()
        self._held = b""
        if self._in_flight or not self.all_sent:
            self.look()
        else:
            self.end(then)

    def wants(self) -> int:
        """More requests, unless too many are under way."""
        if self._last or self._alone or len(self._in_flight) >= PIPELINE_MAX:
            return 0
        return EPOLLOUT if self._held else EPOLLIN

    # Writing

    def filled(self) -> None:
        """Queue the responses whose turn it is."""
        in_flight = self._in_flight
        while in_flight and in_flight[0].response is not None:
            self.queue(in_flight[0].response)
            in_flight.popleft()

    def flushed(self) -> None:
        """Look for what comes next, or end."""
        if not self._in_flight:
            self._alone = False
            if self._last:
                self.end(self._next)
                return
        self.look()

    # Ending

    def close_when_done(self) -> None:
        """Close after what is under way; now, if nothing is."""
        if not self._last:
            self._finish(None if not self._in_flight and self.all_sent else Goodbye())

    def give_up(self) -> None:
        """Say of all that is under way that its outcome is unknown."""
        for slot in self._in_flight:
            if slot.response is None:
                slot.response = self._reactor.outcome_unknown()
        self.filled()

    def check(self) -> None:
        """End what takes too long: a reply, a request, the next request."""
        bounds = self._reactor.bounds
        now = self._reactor.now
        if self.stalled_s > bounds.write_timeout_s:
            self.end()
        elif self._in_flight or self._last:
            pass
        elif self._partial:
            self._check_partial(now - self._partial_since)
        elif now - self.quiet_since > bounds.keep_alive_timeout_s:
            self.end()

    def _check_partial(self, waited_s: float) -> None:
        bounds = self._reactor.bounds
        if not self._partial_bytes_wanted:
            if waited_s > bounds.header_timeout_s:
                self._refuse("head", bounds.header_timeout_s)
        elif waited_s > bounds.header_timeout_s + bounds.body_timeout_s:
            self._refuse("body", bounds.body_timeout_s)

    def _refuse(self, what: str, seconds: float) -> None:
        """Answer what can't be waited for, and close."""
        self.queue(self._reactor.too_slow(what, seconds))
        self._finish(Goodbye())
