"""Open loop: every order goes out when it is due, whether or not the server has answered others.

Each order takes an idle connection; if there is none, it queues behind others on a busy one, up to
the plan's `pipeline`; if all are full it waits here. However it goes, its latency counts from the
time it was due.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from time import perf_counter_ns

from loadtest.http1 import Replied, RequestWriter
from loadtest.lanes import NS_PER_S, Lane, Lanes
from loadtest.samples import LOST, NOT_SENT, Samples

WAIT_S_MAX = 0.05
UNKNOWN = -2
"""The status of an order that is under way."""


class OpenLoop(Lanes):
    """One process's part of the schedule.

    `due_ns` are its orders' times from the start, `numbers` gives an order its number among those
    of all processes (which makes its key).
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        connections: int,
        pipeline: int,
        due_ns: "array[int]",
        requests: RequestWriter,
        numbers: Callable[[int], int],
        give_up_s: float = 0.0,
    ) -> None:
        self._idle: deque[Lane] = deque()
        super().__init__(host, port, connections)
        self._pipeline = pipeline
        self._in_flight_max = pipeline * connections
        self._requests = requests
        self._numbers = numbers
        self._due = due_ns
        self._give_up_ns = round(give_up_s * NS_PER_S)
        self._start_ns = 0
        self._next = 0
        self._rotation: deque[Lane] = deque()
        count = len(due_ns)
        self._sent = array("q", bytes(8 * count))
        self._latency = array("q", bytes(8 * count))
        self._status = array("h", [UNKNOWN]) * count
        self.answered = 0
        self.turned_away = 0
        self.retry_after_missing = 0

    def run(self, start_ns: int, drain_s: float, tick: Callable[[], None] = lambda: None) -> None:
        """Keep the schedule from `start_ns` (of `perf_counter_ns`) on, then wait for the replies.

        `tick` is called in every turn.
        """
        self._start_ns = start_ns
        due, count = self._due, len(self._due)
        end_ns = start_ns + (due[-1] if count else 0) + round(drain_s * NS_PER_S)
        while True:
            now = perf_counter_ns()
            blocked = False
            if self._next < count and now - start_ns >= due[self._next]:
                blocked = not self._send_due(now)
            tick()
            if self._next == count and not self.in_flight:
                break
            if now > end_ns:
                break
            wait_s = WAIT_S_MAX
            if self._next < count and not blocked:
                wait_s = (start_ns + due[self._next] - perf_counter_ns()) / NS_PER_S
            self.turn(min(wait_s, WAIT_S_MAX))
        self._settle()

    def samples(self) -> Samples:
        """What came of it."""
        return Samples(
            self._due,
            self._sent,
            self._latency,
            self._status,
            retry_after_missing=self.retry_after_missing,
        )

    @property
    def sent(self) -> int:
        """Orders that were sent or given up."""
        return self._next

    def idle(self, lane: Lane) -> None:
        """See `Lanes`."""
        self._idle.append(lane)

    def replied(self, lane: Lane, number: int, reply: Replied, now_ns: int) -> None:
        """See `Lanes`."""
        self._latency[number] = now_ns - self._start_ns - self._due[number]
        self._status[number] = reply.status
        self.answered += 1
        if reply.status in (429, 503):
            self.turned_away += 1
            self.retry_after_missing += not reply.retry_after

    def lost(self, number: int) -> None:
        """See `Lanes`."""
        self._latency[number] = perf_counter_ns() - self._start_ns - self._due[number]
        self._status[number] = LOST

    def _send_due(self, now_ns: int) -> bool:
        """Send every order that is due. False if the connections have no room for all."""
        elapsed = now_ns - self._start_ns
        if self._give_up_ns:
            self._drop_before(elapsed - self._give_up_ns)
        waiting = bisect_right(self._due, elapsed, self._next) - self._next
        while waiting:
            lane = self._next_lane() if self.in_flight < self._in_flight_max else None
            if lane is None:
                return False
            fair = -(-waiting // max(1, len(self._idle) or len(self.lanes)))
            count = min(waiting, fair, self._pipeline - len(lane.waiting))
            first = self._next
            self._next += count
            waiting -= count
            request, numbers = self._requests.request, self._numbers
            data = b"".join([request(numbers(n)) for n in range(first, first + count)])
            sent_ns = perf_counter_ns() - self._start_ns
            for number in range(first, first + count):
                self._sent[number] = sent_ns
            self.send(lane, data, range(first, first + count))
        return True

    def _next_lane(self) -> Lane | None:
        """An idle connection, else a busy one with room, else None."""
        while self._idle:
            lane = self._idle.popleft()
            if lane.up and not lane.waiting:
                return lane
        for _ in range(2):
            while self._rotation:
                lane = self._rotation.popleft()
                if lane.up and not lane.unsent and len(lane.waiting) < self._pipeline:
                    return lane
            self._rotation.extend(self.lanes.values())
        return None

    def _drop_before(self, due_ns: int) -> None:
        """Give up the orders that should have been sent before `due_ns`."""
        end = bisect_right(self._due, due_ns, self._next)
        for number in range(self._next, end):
            self._status[number] = NOT_SENT
        self._next = max(self._next, end)

    def _settle(self) -> None:
        """Count as lost what is still open: sent and not answered, or due and never sent."""
        now_ns = perf_counter_ns() - self._start_ns
        for number in range(self._next, len(self._due)):
            self._sent[number] = now_ns
        self._next = len(self._due)
        for number, status in enumerate(self._status):
            if status == UNKNOWN:
                self._status[number] = LOST
                self._latency[number] = now_ns - self._due[number]
