"""Closed loop: each connection sends its next order when the reply to the last has come.

The server sets the pace, so this finds its capacity; the latencies are those of a server at its
limit. It is no measure of latency at a given rate, for a stall stops the clock as well: use the
open loop for that.
"""

from collections.abc import Callable
from time import perf_counter_ns

from loadtest.http1 import Replied, RequestWriter
from loadtest.lanes import NS_PER_S, Lane, Lanes
from loadtest.samples import LOST, Samples

WAIT_S_MAX = 0.05


class ClosedLoop(Lanes):
    """One process's connections. An order is due when it is sent."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        connections: int,
        pipeline: int,
        requests: RequestWriter,
        numbers: Callable[[int], int],
    ) -> None:
        self._samples = Samples()
        self._start_ns = self._end_ns = 0
        self._pipeline = pipeline
        self._requests = requests
        self._numbers = numbers
        super().__init__(host, port, connections)
        self.answered = 0
        self.turned_away = 0

    def run(
        self,
        start_ns: int,
        seconds: float,
        drain_s: float,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        """Load from `start_ns` on for `seconds`, then wait for the replies."""
        self._start_ns, self._end_ns = start_ns, start_ns + round(seconds * NS_PER_S)
        while perf_counter_ns() < start_ns:
            self.turn((start_ns - perf_counter_ns()) / NS_PER_S)
        for lane in list(self.lanes.values()):
            self._fill(lane)
        while self.in_flight or perf_counter_ns() < self._end_ns:
            self.turn(WAIT_S_MAX)
            tick()
            if perf_counter_ns() > self._end_ns + drain_s * NS_PER_S:
                break
        self.close()

    def samples(self) -> Samples:
        """What came of it."""
        return self._samples

    @property
    def sent(self) -> int:
        """Orders that were sent."""
        return len(self._samples)

    def idle(self, lane: Lane) -> None:
        """See `Lanes`: a connection that had to be made again starts anew."""
        if self._end_ns and not lane.waiting:
            self._fill(lane)

    def replied(self, lane: Lane, number: int, reply: Replied, now_ns: int) -> None:
        """See `Lanes`."""
        samples = self._samples
        samples.latency_ns[number] = now_ns - self._start_ns - samples.due_ns[number]
        samples.status[number] = reply.status
        self.answered += 1
        if reply.status in (429, 503):
            self.turned_away += 1
            samples.retry_after_missing += not reply.retry_after
        if lane.waiting:
            self._fill(lane)

    def lost(self, number: int) -> None:
        """See `Lanes`."""
        samples = self._samples
        samples.latency_ns[number] = perf_counter_ns() - self._start_ns - samples.due_ns[number]
        samples.status[number] = LOST

    def _fill(self, lane: Lane) -> None:
        """Bring `lane` to its full number of requests, while there is time."""
        now_ns = perf_counter_ns()
        count = self._pipeline - len(lane.waiting)
        if now_ns >= self._end_ns or not lane.up or lane.unsent or count <= 0:
            return
        first = len(self._samples)
        for _ in range(count):
            self._samples.due_ns.append(now_ns - self._start_ns)
            self._samples.sent_ns.append(now_ns - self._start_ns)
            self._samples.latency_ns.append(0)
            self._samples.status.append(LOST)
        request, numbers = self._requests.request, self._numbers
        data = b"".join([request(numbers(n)) for n in range(first, first + count)])
        self.send(lane, data, range(first, first + count))
