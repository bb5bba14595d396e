"""Keep-alive connections on one epoll: bytes go out without blocking, whole replies come in."""

import os
import select
import socket
from collections import deque
from time import perf_counter_ns

from loadtest.http1 import NotHttp, Replied, take_replies

RECEIVE_BYTES = 262_144
CONNECT_AGAIN_S = 0.05
NS_PER_S = 1_000_000_000


class Lane:
    """One connection, and the numbers of the orders under way on it, oldest first."""

    __slots__ = ("received", "socket", "unsent", "up", "waiting")

    def __init__(self, connecting: socket.socket) -> None:
        self.socket = connecting
        self.up = False
        self.waiting: deque[int] = deque()
        self.received = b""
        self.unsent = b""


class Lanes:
    """A number of connections to one address. A broken one is replaced, and what was on it lost.

    Whoever owns it overrides `replied` and `lost`.
    """

    def __init__(self, host: str, port: int, connections: int) -> None:
        self._address = (socket.gethostbyname(host), port)
        self._poll = select.epoll()
        self.lanes: dict[int, Lane] = {}
        self._again: list[int] = []
        self.in_flight = 0
        self._connections = connections
        for _ in range(connections):
            self._connect()
        self._await_connections()

    def replied(self, lane: Lane, number: int, reply: Replied, now_ns: int) -> None:
        """The reply to order `number` has come."""
        raise NotImplementedError

    def lost(self, number: int) -> None:
        """No reply to order `number` will come."""
        raise NotImplementedError

    def idle(self, lane: Lane) -> None:
        """`lane` has just been connected, or everything on it has been answered."""

    def send(self, lane: Lane, data: bytes, numbers: range) -> None:
        """Send `data`, the requests of the orders `numbers`, as far as the socket takes it now."""
        lane.waiting.extend(numbers)
        self.in_flight += len(numbers)
        if lane.unsent:
            lane.unsent += data
            return
        try:
            sent = lane.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._replace(lane)
            return
        if sent < len(data):
            lane.unsent = data[sent:]
            self._poll.modify(lane.socket, select.EPOLLIN | select.EPOLLOUT)

    def turn(self, wait_s: float) -> None:
        """Wait up to `wait_s` for something to happen, and take all of it.

        epoll's own timeout counts whole milliseconds; select on its descriptor counts microseconds.
        """
        if self._again:
            self._reconnect()
        if wait_s > 0:
            select.select([self._poll], [], [], wait_s)
        for descriptor, events in self._poll.poll(0):
            lane = self.lanes.get(descriptor)
            if lane is not None:
                self._take(lane, events)

    def close(self) -> None:
        """Close everything; orders under way are lost."""
        for lane in list(self.lanes.values()):
            self._give_up(lane)
        self._poll.close()

    def _take(self, lane: Lane, events: int) -> None:
        if events & select.EPOLLOUT and not self._flush(lane):
            return
        if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            self._receive(lane)

    def _flush(self, lane: Lane) -> bool:
        """Send what was left over. Whether the lane still stands."""
        try:
            if not lane.up:
                error = lane.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, os.strerror(error))
                lane.up = True
                self.idle(lane)
            if lane.unsent:
                lane.unsent = lane.unsent[lane.socket.send(lane.unsent) :]
        except BlockingIOError:
            return True
        except OSError:
            self._replace(lane)
            return False
        if not lane.unsent:
            self._poll.modify(lane.socket, select.EPOLLIN)
        return True

    def _receive(self, lane: Lane) -> None:
        try:
            data = lane.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        now_ns = perf_counter_ns()
        if not data:
            self._replace(lane)
            return
        try:
            replies, lane.received = take_replies(lane.received + data if lane.received else data)
        except NotHttp:
            self._replace(lane)
            return
        waiting = lane.waiting
        # What nobody asked for (a 408 to an idle connection) is followed by the server's closing.
        del replies[len(waiting) :]
        self.in_flight -= len(replies)
        for reply in replies:
            self.replied(lane, waiting.popleft(), reply, now_ns)
        if replies and not waiting:
            self.idle(lane)

    def _connect(self) -> None:
        connecting = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connecting.connect_ex(self._address)
        self.lanes[connecting.fileno()] = Lane(connecting)
        self._poll.register(connecting, select.EPOLLIN | select.EPOLLOUT)

    def _replace(self, lane: Lane) -> None:
        self._give_up(lane)
        self._again.append(perf_counter_ns())

    def _give_up(self, lane: Lane) -> None:
        del self.lanes[lane.socket.fileno()]
        self._poll.unregister(lane.socket)
        lane.socket.close()
        lane.up = False
        self.in_flight -= len(lane.waiting)
        for number in lane.waiting:
            self.lost(number)
        lane.waiting.clear()

    def _reconnect(self) -> None:
        """Connect again what broke a while ago; a server that is gone is not hammered."""
        due = perf_counter_ns() - round(CONNECT_AGAIN_S * NS_PER_S)
        ready = sum(broken_ns <= due for broken_ns in self._again)
        del self._again[:ready]
        for _ in range(ready):
            self._connect()

    def _await_connections(self, seconds: float = 10.0) -> None:
        """Wait until all stand. At the beginning, one that is refused is one too many."""
        end_ns = perf_counter_ns() + round(seconds * NS_PER_S)
        while any(not lane.up for lane in self.lanes.values()) or self._again:
            if self._again or perf_counter_ns() > end_ns:
                host, port = self._address
                self.close()
                raise ConnectionError(f"{host}:{port} takes no {self._connections} connections")
            self.turn(0.05)
