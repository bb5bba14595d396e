"""One hot connection: its descriptor, what goes out, and what the reactor looks for on it.

Nothing here waits: the reactor says when there is something to read or room to write, and is told
what to look for next. A descriptor is touched until the connection has ended and never after that,
for its number may then be another connection's.
"""

import os
from abc import ABC, abstractmethod
from select import EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import trio

if TYPE_CHECKING:
    from tradeclear.gateway.door.reactor import Reactor

READ_BYTES: Final = 65_536
PIECE_BYTES: Final = 65_536
"""A client that takes less than this within the write timeout has stalled."""

Outcome = TypeVar("Outcome")


class Peer(ABC, Generic[Outcome]):
    """A connection. `quiet_since`: monotonic seconds of its last sign of life.

    `outcome` says how it ended, for the task that owns the stream.
    """

    def __init__(self, reactor: "Reactor", stream: trio.SocketStream, address: str) -> None:
        self.descriptor: Final = stream.socket.fileno()
        self.address: Final = address
        self.interest = EPOLLIN
        self.quiet_since = reactor.now
        self.ended = False
        self.outcome: Outcome | None = None
        self._reactor: Final = reactor
        self._out: Final[list[bytes | memoryview]] = []
        self._unsent: bytes | memoryview = b""
        self._queued = False
        self._stalled_since = 0.0
        self._taken = 0
        self._done: Final = trio.Event()

    # What the kinds of connection do

    @abstractmethod
    def take(self, data: bytes) -> None:
        """Something came."""

    @abstractmethod
    def at_end(self) -> None:
        """The other side sends no more."""

    @abstractmethod
    def flushed(self) -> None:
        """All that was queued has been sent. Begins nothing: it may be called within a commit."""

    @abstractmethod
    def wants(self) -> int:
        """EPOLLIN to read on, EPOLLOUT for a turn with what was read, 0 to wait for replies."""

    @abstractmethod
    def go_on(self) -> None:
        """Begin more of what was read before."""

    @abstractmethod
    def check(self) -> None:
        """Some time has passed: end what takes too long."""

    @abstractmethod
    def close_when_done(self) -> None:
        """Close after what is under way; now, if nothing is."""

    @abstractmethod
    def give_up(self) -> None:
        """It is about to be closed: queue what there is to say of what is under way."""

    def started(self) -> None:
        """The reactor serves it from now on."""

    # What the reactor calls

    def read(self) -> None:
        """There is something to read."""
        try:
            data = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.end()
            return
        if data:
            self.quiet_since = self._reactor.now
            self.take(data)
        else:
            self.at_end()

    def flush(self) -> None:
        """Send what is queued, in one call, unless something older still waits for room."""
        self._queued = False
        if not self._out or self._unsent or self.ended:
            return
        data = b"".join(self._out)
        self._out.clear()
        try:
            sent = os.write(self.descriptor, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.end()
            return
        if sent:
            self.quiet_since = self._reactor.now
        if sent == len(data):
            self.flushed()
        else:
            self._wait_for_room(memoryview(data)[sent:], sent)

    def _wait_for_room(self, rest: memoryview, sent: int) -> None:
        self._unsent = rest
        self._taken += sent
        if not self._stalled_since or self._taken >= PIECE_BYTES:
            self._stalled_since = self._reactor.now
            self._taken = 0
        self.look()

    def writable(self) -> None:
        """There is room: send what waits for it, or go on with what was read."""
        if not self._unsent:
            self.go_on()
            return
        self._out.insert(0, self._unsent)
        self._unsent = b""
        self.flush()
        if not self._unsent:
            self._stalled_since = 0.0

    # What the kinds of connection call

    def queue(self, data: bytes | memoryview) -> None:
        """Send `data` with the next flush."""
        self._out.append(data)
        if not self._queued and not self.ended:
            self._queued = True
            self._reactor.flushing.append(self)

    def hurry(self) -> None:
        """Send what is queued now: no turn or commit is about to."""
        self._reactor.flush()

    def look(self) -> None:
        """Tell the reactor what to look for."""
        interest = EPOLLOUT if self._unsent else self.wants()
        if interest != self.interest and not self.ended:
            self.interest = interest
            self._reactor.look(self)

    @property
    def all_sent(self) -> bool:
        """Whether nothing waits to be sent."""
        return not (self._out or self._unsent)

    @property
    def stalled_s(self) -> float:
        """How long it has taken less than a piece of what is there for it, in seconds."""
        return self._reactor.now - self._stalled_since if self._unsent else 0.0

    def end(self, outcome: Outcome | None = None) -> None:
        """It is done with: its task takes over."""
        if not self.ended:
            self.ended = True
            self.outcome = outcome
            self._reactor.forget(self)
            self._done.set()

    async def wait_ended(self) -> Outcome | None:
        """How it ended; None if there is nothing but to close it."""
        await self._done.wait()
        return self.outcome
