"""Trio, made to do the same every time: a clock that jumps, and task order drawn from the seed."""

import math
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Final, TypeVar
from unittest.mock import patch

import trio
from trio._core import _run

T = TypeVar("T")


class JumpingClock(trio.abc.Clock):
    """Virtual time: it stands while any task can run, and jumps to what the first one waits for.

    Trio's own `MockClock` does the same, and takes two rounds of the loop for each jump. While all
    tasks wait without a deadline it keeps asking, as Trio does at the end of a run.

    Who waits for a time wakes in the same round as with `trio.sleep`, which makes a cancel scope,
    cancels it and raises an exception through the sleeper: a quarter of what a run cost.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self._alarms: Final[list[tuple[float, int, Waiting]]] = []
        self._numbers: Final = count()

    def start_clock(self) -> None:
        """See `trio.abc.Clock`."""

    def current_time(self) -> float:
        """See `trio.abc.Clock`."""
        return self.now_s

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """See `trio.abc.Clock`. Trio asks when no task can run: so the time has come."""
        alarms = self._alarms
        while alarms and alarms[0][2].over:
            heappop(alarms)
        soonest = min(deadline, alarms[0][0]) if alarms else deadline
        if soonest < math.inf:
            self.now_s = max(self.now_s, soonest)
        while alarms and alarms[0][0] <= self.now_s:
            heappop(alarms)[2].end()
        return 0.0

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Wait so long. A checkpoint."""
        return self.wait(Waiting(), seconds)

    def sleep_shielded(self, seconds: float) -> Awaitable[None]:
        """Wait so long, cancelled or not: who is cancelled hears of it at the next checkpoint."""
        return self.wait(Waiting(cancellable=False), seconds)

    async def wait(self, waiting: "Waiting", seconds: float) -> None:
        """Wait until `waiting` ends, at most so long. A checkpoint."""
        if waiting.over:
            await trio.lowlevel.checkpoint()
            return
        waiting.task = trio.lowlevel.current_task()
        heappush(self._alarms, (self.now_s + seconds, next(self._numbers), waiting))
        await trio.lowlevel.wait_task_rescheduled(waiting.abort)


class Waiting:
    """One task that waits, once: until `end` is called, by the clock or whoever."""

    __slots__ = ("_cancellable", "over", "task")

    def __init__(self, *, cancellable: bool = True) -> None:
        self.over = False
        self.task: trio.lowlevel.Task | None = None
        self._cancellable = cancellable

    def end(self) -> None:
        """The wait is over; or will be, before it has begun. Again: nothing."""
        if not self.over:
            self.over = True
            if self.task is not None:
                trio.lowlevel.reschedule(self.task)

    def abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        """Trio asks: the task was cancelled."""
        if not self._cancellable:
            return trio.lowlevel.Abort.FAILED
        self.over = True
        return trio.lowlevel.Abort.SUCCEEDED


def run_deterministic(seed: int, main: Callable[[JumpingClock], Awaitable[T]]) -> T:
    """`trio.run(main)` whose time passes only when all tasks wait, and whose order is the seed's.

    The switch and the generator are Trio's own, for tests under Hypothesis; they are put back.
    """
    clock = JumpingClock()
    with (
        patch.object(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True),
        patch.object(_run, "_r", Random(f"{seed}/order of tasks")),
    ):
        return trio.run(main, clock, clock=clock)
