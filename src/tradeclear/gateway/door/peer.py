"""One hot connection: its descriptor, what goes out, and what the reactor looks for on it.

Nothing here waits: the reactor says when there is something to read or room to write, and is told
what to look for next.
"""

import os
from abc import ABC, abstractmethod
from select import EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import trio

if TYPE_CHECKING:
    from tradeclear.gateway.door.reactor import Reactor

READ_BYTES: Final = 65_536

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
        self.outcome: Outcome | None = None
        self._reactor: Final = reactor
        self._out: Final[list[bytes]] = []
        self._unsent = b""
        self._queued = False
        self._ended: Final = trio.Event()

    # What the kinds of connection do

    @abstractmethod
    def take(self, data: bytes) -> None:
        """Something came."""

    @abstractmethod
    def at_end(self) -> None:
        """The other side sends no more."""

    @abstractmethod
    def flushed(self) -> None:
        """All that was queued has been sent."""

    @abstractmethod
    def reads(self) -> bool:
        """Whether more is wanted now."""

    @abstractmethod
    def check(self) -> None:
        """Some time has passed: end what takes too long."""

    @abstractmethod
    def close_when_done(self) -> None:
        """Close after what is under way; now, if nothing is."""

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
        """Send what is queued, in one call; what the other side does not take waits for room."""
        self._queued = False
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
        if sent:
            self.quiet_since = self._reactor.now
        if sent < len(data):
            self._unsent = data[sent:]
            self.look()
        else:
            self._unsent = b""
            self.flushed()

    # What the kinds of connection call

    def queue(self, data: bytes) -> None:
        """Send `data` with the next flush."""
        self._out.append(data)
        if not self._queued and not self.ended:
            self._queued = True
            self._reactor.flushing.append(self)

    def look(self) -> None:
        """Tell the reactor what to look for."""
        interest = EPOLLOUT if self._unsent else EPOLLIN if self.reads() else 0
        if interest != self.interest and not self.ended:
            self.interest = interest
            self._reactor.look(self)

    @property
    def all_sent(self) -> bool:
        """Whether nothing waits to be sent."""
        return not (self._out or self._unsent)

    @property
    def blocked_s(self) -> float:
        """How long it has not taken what is there for it, in seconds."""
        return self._reactor.now - self.quiet_since if self._unsent else 0.0

    @property
    def ended(self) -> bool:
        """Whether it is done with."""
        return self._ended.is_set()

    def end(self, outcome: Outcome | None = None) -> None:
        """It is done with: its task takes over."""
        if not self.ended:
            self.outcome = outcome
            self._ended.set()
            self._reactor.forget(self)

    async def wait_ended(self) -> Outcome | None:
        """How it ended; None if there is nothing but to close it."""
        await self._ended.wait()
        return self.outcome
