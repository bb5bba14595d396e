"""The commit gate: nothing that depends on record N leaves before N is durable.

Whoever has an answer that was computed at seq N leaves it here; it is handed out when the durable
watermark reaches N, in order. After a failure every waiter, now and later, is told that its outcome
is unknown.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from operator import itemgetter
from typing import Final

import trio

from tradeclear.model.errors import OutcomeUnknown
from tradeclear.model.units import Seq
from tradeclear.pipeline.outcome import Answer, Reply
from tradeclear.telemetry.metrics import Histogram


class CommitGate:
    """The durable watermark of one partition and those who wait for it."""

    def __init__(self, durable: Seq, latency_s: Histogram) -> None:
        self.durable: Seq = durable
        self.failed = False
        self._latency_s: Final = latency_s
        self.settled: Final[list[Callable[[], None]]] = []
        """Called after answers were handed out, so that those of a commit can leave together."""
        self._waiting: Final[deque[tuple[Seq, Reply, Answer, float]]] = deque()

    def __len__(self) -> int:
        """How many answers wait."""
        return len(self._waiting)

    def answer(self, seq: Seq, reply: Reply, answer: Answer, since: float = math.nan) -> None:
        """Hand `answer` to `reply` once `seq` is durable, which may be at once.

        `since` is the monotonic time of the submission, for the
        latency histogram; NaN if it does not count.
        """
        if self.failed:
            reply(OutcomeUnknown("the exchange has failed: ask again with the idempotency key"))
            self._settle()
        elif seq <= self.durable:
            reply(answer)
            self._settle()
        elif self._waiting and seq < self._waiting[-1][0]:
            place = bisect_right(self._waiting, seq, key=itemgetter(0))
            self._waiting.insert(place, (seq, reply, answer, since))
        else:
            self._waiting.append((seq, reply, answer, since))

    def hold(self, seq: Seq, reply: Reply, answer: Answer, since: float) -> None:
        """The same for the newest record of all, which can't be durable yet."""
        assert seq > self.durable, f"record {seq} is not newer than {self.durable}"
        if self.failed:
            self.answer(seq, reply, answer)
        else:
            self._waiting.append((seq, reply, answer, since))

    async def wait_durable(self, seq: Seq) -> None:
        """Return when `seq` is durable. Raises `OutcomeUnknown`. Cancelling forgets the wait."""
        if seq <= self.durable and not self.failed:
            await trio.lowlevel.checkpoint()
            return
        arrived = trio.Event()
        told: list[Answer] = []

        def reply(answer: Answer) -> None:
            told.append(answer)
            arrived.set()

        self.answer(seq, reply, None)
        await arrived.wait()
        if isinstance(told[0], OutcomeUnknown):
            raise told[0]

    def advance(self, seq: Seq, now: float) -> None:
        """Everything up to `seq` is durable since monotonic time `now`: hand out what waited."""
        self.durable = seq
        waiting, observe = self._waiting, self._latency_s.observe
        while waiting and waiting[0][0] <= seq:
            _seq, reply, answer, since = waiting.popleft()
            if since == since:  # not NaN
                observe(now - since)
            reply(answer)
        self._settle()

    def fail(self) -> None:
        """Nothing will ever be durable again: tell every waiter that its outcome is unknown."""
        self.failed = True
        while self._waiting:
            _seq, reply, _answer, _since = self._waiting.popleft()
            reply(OutcomeUnknown("the exchange has failed: ask again with the idempotency key"))
        self._settle()

    def _settle(self) -> None:
        for told in self.settled:
            told()
