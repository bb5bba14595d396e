"""Trio, made to do the same every time: a clock that jumps, and task order drawn from the seed."""

import math
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar
from unittest.mock import patch

import trio
from trio._core import _run

T = TypeVar("T")


class JumpingClock(trio.abc.Clock):
    """Virtual time: it stands while any task can run, and jumps to what the first one waits for.

    Trio's own `MockClock` does the same, and takes two rounds of the loop for each jump. While all
    tasks wait without a deadline it keeps asking, as Trio does at the end of a run.
    """

    def __init__(self) -> None:
        self.now_s = 0.0

    def start_clock(self) -> None:
        """See `trio.abc.Clock`."""

    def current_time(self) -> float:
        """See `trio.abc.Clock`."""
        return self.now_s

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """See `trio.abc.Clock`. Trio asks when no task can run: so the time has come."""
        if deadline < math.inf:
            self.now_s = max(self.now_s, deadline)
        return 0.0


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
