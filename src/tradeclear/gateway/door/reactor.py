"""The reactor: one task that reads, begins and answers the requests of every hot connection.

A task that waits for its socket costs Trio about as much as the order itself does. So the sockets
of all hot connections stand in one epoll set, whose descriptor Trio waits for; each turn takes what
has come from every connection, and each commit's replies leave with one write a connection.
Every connection still has a task that owns its stream; it sleeps until the connection is done with.

Nothing that goes wrong with one connection may reach another, or the commit that calls `flush`:
a fault is logged and ends that connection.
"""

from select import EPOLLERR, EPOLLHUP, EPOLLIN, epoll
from time import monotonic
from typing import Any, Final, Protocol, TypeVar

import trio
from msgspec import Struct

from tradeclear.gateway.door.head import Head, Heads
from tradeclear.gateway.door.peer import Peer
from tradeclear.gateway.door.slot import Slot
from tradeclear.telemetry.events import REQUEST_FAILED
from tradeclear.telemetry.logs import log

EVENTS_MAX: Final = 64
"""So many connections are served in a turn before other tasks get theirs. The kernel goes round."""

TURN_REQUESTS_MAX: Final = 512
"""So many requests are begun in a turn, where many connections have sent several ahead."""

SHARE_MAX, SHARE_MIN = 64, 4
"""Of these each connection that is ready may begin so many at most, and so many in any case."""

SWEEP_S: Final = 0.25

Outcome = TypeVar("Outcome")


class Bounds(Struct, frozen=True, kw_only=True):
    """What a client may send, and how long it may let us wait."""

    header_bytes_max: int
    body_bytes_max: int
    header_timeout_s: float
    body_timeout_s: float
    write_timeout_s: float
    keep_alive_timeout_s: float


class Requests(Protocol):
    """Who answers."""

    def begin(self, slot: Slot, head: Head, body: bytes) -> None:
        """Answer a request, now or later, by filling its slot."""

    def too_slow(self, what: str, seconds: float) -> bytes:
        """The response to a request that did not come in time."""

    def outcome_unknown(self) -> bytes:
        """The response to a request that can't be waited for any more."""


class Reactor:
    """The hot connections. `run` is its task; everything else is called between two waits."""

    def __init__(self, requests: Requests, bounds: Bounds) -> None:
        self.bounds: Final = bounds
        self.begin: Final = requests.begin
        self.too_slow: Final = requests.too_slow
        self.outcome_unknown: Final = requests.outcome_unknown
        self.read_head: Final = Heads().read
        self.now = monotonic()
        self.share = SHARE_MAX
        """So many requests each connection may begin in this turn."""
        self.flushing: list[Peer[Any]] = []
        self._epoll: Final = epoll()
        self._peers: Final[dict[int, Peer[Any]]] = {}
        self._turning = False
        self._draining = False

    def __len__(self) -> int:
        """How many connections are hot."""
        return len(self._peers)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sweep)
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                self._turn()

    def _turn(self) -> None:
        """Take what has come, and send what came of it."""
        self.now = monotonic()
        peers = self._peers
        self._turning = True
        ready = self._epoll.poll(0, EVENTS_MAX)
        self.share = max(SHARE_MIN, min(SHARE_MAX, TURN_REQUESTS_MAX // (len(ready) or 1)))
        for descriptor, events in ready:
            peer = peers.get(descriptor)
            if peer is None:
                continue
            try:
                if events & EPOLLIN:
                    peer.read()
                elif events & (EPOLLERR | EPOLLHUP):
                    peer.end()
                else:
                    peer.writable()
            except Exception as error:
                self._fault(peer, error)
        self._turning = False
        self.flush()

    async def serve(self, peer: Peer[Outcome]) -> Outcome | None:
        """Serve one connection; returns how it goes on, None when it is to be closed.

        Cancelled, the connection is told what can be said at once, and forgotten. Raises `OSError`
        if the kernel has no room for it.
        """
        self._epoll.register(peer.descriptor, peer.interest)
        self._peers[peer.descriptor] = peer
        try:
            peer.started()
            if self._draining:
                peer.close_when_done()
            self.flush()
            return await peer.wait_ended()
        except trio.Cancelled:
            peer.give_up()
            peer.flush()
            raise
        finally:
            peer.end()

    def flush(self) -> None:
        """Send every response that is there. Called at the end of a turn and of a commit."""
        if self._turning:
            return  # its end is near
        while self.flushing:
            peers, self.flushing = self.flushing, []
            for peer in peers:
                try:
                    peer.flush()
                except Exception as error:
                    self._fault(peer, error)

    def look(self, peer: Peer[Any]) -> None:
        """Look for `peer.interest` from now on."""
        self._epoll.modify(peer.descriptor, peer.interest)

    def forget(self, peer: Peer[Any]) -> None:
        """Look no more: its task takes over."""
        del self._peers[peer.descriptor]
        self._epoll.unregister(peer.descriptor)

    def drain(self) -> None:
        """From now on, end idle connections at once and the others when they are answered."""
        self._draining = True
        for peer in tuple(self._peers.values()):
            peer.close_when_done()
        self.flush()

    def close(self) -> None:
        """Give the epoll set back. No connection may be left."""
        assert not self._peers, f"{len(self._peers)} connections are left"
        self._epoll.close()

    async def _sweep(self) -> None:
        """End the connections that let us wait too long."""
        while True:
            await trio.sleep(SWEEP_S)
            self.now = monotonic()
            for peer in tuple(self._peers.values()):
                try:
                    peer.check()
                except Exception as error:
                    self._fault(peer, error)
            self.flush()

    def _fault(self, peer: Peer[Any], error: Exception) -> None:
        """A fault of ours met `peer`: it alone ends."""
        log.exception(REQUEST_FAILED, route="front door", problem=repr(error))
        peer.end()
