"""The reactor: one task that reads, begins and answers the requests of every hot connection.

A task that waits for its socket costs Trio about as much as the order itself does. So the sockets
of all hot connections stand in one epoll set, whose descriptor Trio waits for; each turn takes what
has come from every connection, and each commit's replies leave with one write a connection.
Every connection still has a task that owns its stream; it sleeps until the connection is done with.
"""

from select import EPOLLERR, EPOLLHUP, EPOLLIN, epoll
from time import monotonic
from typing import Final, Protocol

import trio
from msgspec import Struct

from tradeclear.gateway.door.client import Client, Slot
from tradeclear.gateway.door.head import END, Head, Heads

EVENTS_MAX: Final = 256
"""So many connections are read in a turn before other tasks get theirs."""

SWEEP_S: Final = 0.25


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


class Reactor:
    """The hot connections. `run` is its task; everything else is called between two waits."""

    def __init__(self, requests: Requests, bounds: Bounds) -> None:
        self.header_bytes_max: Final = bounds.header_bytes_max
        self.body_bytes_max: Final = bounds.body_bytes_max
        self.begin: Final = requests.begin
        self.read_head: Final = Heads().read
        self.now = monotonic()
        self.flushing: list[Client] = []
        self._requests: Final = requests
        self._bounds: Final = bounds
        self._epoll: Final = epoll()
        self._clients: Final[dict[int, Client]] = {}
        self._none_left = trio.Event()

    def __len__(self) -> int:
        """How many connections are hot."""
        return len(self._clients)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sweep)
            clients = self._clients
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                self.now = monotonic()
                for descriptor, events in self._epoll.poll(0, EVENTS_MAX):
                    client = clients.get(descriptor)
                    if client is None:
                        continue
                    if events & EPOLLIN:
                        client.read()
                    elif events & (EPOLLERR | EPOLLHUP):
                        client.end()
                    else:
                        client.flush()
                self.flush()

    async def serve(self, stream: trio.SocketStream, address: str) -> bytes | None:
        """Serve one connection; returns the bytes to hand over, or None when it is to be closed.

        Cancelled, the connection is forgotten at once.
        """
        client = Client(self, stream, address)
        self._clients[client.descriptor] = client
        self._epoll.register(client.descriptor, client.interest)
        try:
            return await client.wait_ended()
        finally:
            client.end()

    def flush(self) -> None:
        """Send every response that is there. Called at the end of a turn and of a commit."""
        while self.flushing:
            clients, self.flushing = self.flushing, []
            for client in clients:
                client.flush()

    def look(self, client: Client) -> None:
        """Look for `client.interest` from now on."""
        self._epoll.modify(client.descriptor, client.interest)

    def forget(self, client: Client) -> None:
        """Look no more: its task takes over."""
        del self._clients[client.descriptor]
        self._epoll.unregister(client.descriptor)
        if not self._clients:
            self._none_left.set()

    async def drain(self, timeout_s: float) -> None:
        """End idle connections now and the others when they are answered, for `timeout_s`."""
        for client in tuple(self._clients.values()):
            client.close_when_done()
        with trio.move_on_after(timeout_s):
            while self._clients:
                self._none_left = trio.Event()
                await self._none_left.wait()

    async def _sweep(self) -> None:
        """End the connections that let us wait too long."""
        while True:
            await trio.sleep(SWEEP_S)
            self.now = monotonic()
            for client in tuple(self._clients.values()):
                self._check(client)
            self.flush()

    def _check(self, client: Client) -> None:
        bounds = self._bounds
        quiet_s = self.now - client.quiet_since
        if client.blocked:
            if quiet_s > bounds.write_timeout_s:
                client.end()
        elif partial := client.partial:
            self._check_partial(client, partial)
        elif client.idle and quiet_s > bounds.keep_alive_timeout_s:
            client.end()

    def _check_partial(self, client: Client, partial: bytes) -> None:
        bounds = self._bounds
        waited_s = self.now - client.partial_since
        if END not in partial:
            if waited_s > bounds.header_timeout_s:
                client.refuse(self._requests.too_slow("head", bounds.header_timeout_s))
        elif waited_s > bounds.header_timeout_s + bounds.body_timeout_s:
            client.refuse(self._requests.too_slow("body", bounds.body_timeout_s))
