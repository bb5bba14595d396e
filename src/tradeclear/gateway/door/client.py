"""One connection at the front door: what came in, what is under way, what goes out.

Replies leave in the order of their requests. Nothing here waits: the reactor says when there is
something to read or room to write, and is told what to look for next.
"""

import os
from collections import deque
from enum import Enum
from select import EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING, Final

import trio

from tradeclear.gateway.door.head import END

if TYPE_CHECKING:
    from tradeclear.gateway.door.reactor import Reactor

READ_BYTES: Final = 65_536
PIPELINE_MAX: Final = 256
"""So many requests of one connection are under way before no more is read from it."""


class Then(Enum):
    """What comes after the requests that are under way."""

    GO_ON = "go on"
    CLOSE = "close"
    HAND_OVER = "hand over"


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


class Client:
    """A connection. `quiet_since` and `partial_since` are monotonic seconds."""

    def __init__(self, reactor: "Reactor", stream: trio.SocketStream, address: str) -> None:
        self._reactor: Final = reactor
        self._buffer = b""
        self._in_flight: Final[deque[Slot]] = deque()
        self._out: Final[list[bytes]] = []
        self._unsent = b""
        self._flushing = False
        self._then = Then.GO_ON
        self._ended: Final = trio.Event()
        self.descriptor: Final = stream.socket.fileno()
        self.address: Final = address
        self.interest = EPOLLIN
        self.quiet_since = reactor.now
        self.partial_since = reactor.now

    async def wait_ended(self) -> bytes | None:
        """Wait until the connection is done with: None to close it, else the bytes to hand over."""
        await self._ended.wait()
        return self._buffer if self._then is Then.HAND_OVER else None

    # Reading

    def read(self) -> None:
        """Take what has come, and begin every request that is whole."""
        try:
            data = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.end()
            return
        if not data:
            self._go_on_to(Then.CLOSE)
            return
        self.quiet_since = self._reactor.now
        if self._buffer:
            self._buffer += data
        else:
            self._buffer = data
            self.partial_since = self._reactor.now
        self._take()

    def _take(self) -> None:
        """Begin requests until the buffer holds no whole one or too many are under way."""
        data, position = self._buffer, 0
        reactor = self._reactor
        while position < len(data) and len(self._in_flight) < PIPELINE_MAX:
            body = data.find(END, position) + len(END)
            if body < len(END):
                if len(data) - position <= reactor.header_bytes_max:
                    break
                return self._hand_over(position)
            if body - position > reactor.header_bytes_max:
                return self._hand_over(position)
            head = reactor.read_head(data[position:body])
            if head is None or head.length > reactor.body_bytes_max:
                return self._hand_over(position)
            after = body + head.length
            if after > len(data):
                break
            slot = Slot(self)
            self._in_flight.append(slot)
            reactor.begin(slot, head, data[body:after])
            position = after
        if position:
            self._buffer = data[position:]
            self.partial_since = reactor.now
        return self._look()

    def _hand_over(self, position: int) -> None:
        self._buffer = self._buffer[position:]
        self._go_on_to(Then.HAND_OVER)

    def _go_on_to(self, then: Then) -> None:
        """Begin no further request; `then` comes when all that was begun is answered."""
        self._then = then
        if self._in_flight or self._out or self._unsent:
            self._look()
        else:
            self.end()

    # Writing

    def filled(self) -> None:
        """Queue what is there in turn; the reactor flushes after the commit is told."""
        in_flight = self._in_flight
        while in_flight and in_flight[0].response is not None:
            self._out.append(in_flight[0].response)
            in_flight.popleft()
        if self._out and not self._flushing and not self.ended:
            self._flushing = True
            self._reactor.flushing.append(self)

    def flush(self) -> None:
        """Send what is queued, in one call; what the client does not take waits for room."""
        self._flushing = False
        if self.ended or not (self._out or self._unsent):
            return
        data = b"".join(self._out)
        self._out.clear()
        if self._unsent:
            data = self._unsent + data
        try:
            sent = os.write(self.descriptor, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.end()
            return
        self.quiet_since = self._reactor.now
        if sent < len(data) or self._unsent:
            self._unsent = data[sent:]
            self._look()
        if self._unsent or self._in_flight:
            return
        if self._then is not Then.GO_ON:
            self.end()
        elif self._buffer:
            self._take()

    # The reactor's questions

    @property
    def blocked(self) -> bool:
        """Whether it does not take the responses that are there for it."""
        return bool(self._unsent)

    @property
    def partial(self) -> bytes:
        """What it has sent of a request that is not whole."""
        return b"" if self._in_flight or self._then is not Then.GO_ON else self._buffer

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not (self._in_flight or self._out or self._unsent or self._buffer)

    @property
    def ended(self) -> bool:
        """Whether it is done with."""
        return self._ended.is_set()

    def _look(self) -> None:
        """Tell the reactor what to look for."""
        reads = self._then is Then.GO_ON and len(self._in_flight) < PIPELINE_MAX
        interest = EPOLLOUT if self._unsent else EPOLLIN if reads else 0
        if interest != self.interest and not self.ended:
            self.interest = interest
            self._reactor.look(self)

    # Ending

    def refuse(self, response: bytes) -> None:
        """Answer what can't be waited for, and close."""
        self._buffer = b""
        slot = Slot(self)
        self._in_flight.append(slot)
        self._then = Then.CLOSE
        slot.fill(response)

    def close_when_done(self) -> None:
        """Close after what is under way; now, if nothing is."""
        if self._then is Then.GO_ON:
            self._go_on_to(Then.CLOSE)

    def end(self) -> None:
        """The connection is done with: its task closes it or hands it over."""
        if not self.ended:
            self._ended.set()
            self._reactor.forget(self)
