"""Threads that the simulated clock can see: blocking calls that take virtual time.

A call is made whole at one moment, or (`stepwise`) in a thread that is halted at each of its calls
of the disk, while the virtual disk works and the tasks go on. Only one of all threads runs at any
time, so what comes after what follows from the seed alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from threading import Lock, Thread
from typing import Any, Final, TypeVar, cast

import outcome
import trio

from tradeclear.testing.simulation.schedule import JumpingClock

T = TypeVar("T")


class SimulatedThreads:
    """See `ports.Threads`."""

    def __init__(
        self, clock: JumpingClock, random: Random, *, disk_s: float, stepwise_share: float
    ) -> None:
        self._clock: Final = clock
        self._random: Final = random
        self._disk_s: Final = disk_s
        self._stepwise_share: Final = stepwise_share
        self._in_place_s = 0.0
        self._running: HaltingThread | None = None
        """Whose call of the disk it is; None: the tasks' own."""

    @contextmanager
    def worker(self, name: str) -> Iterator["SimulatedThreads"]:
        """See `ports.Threads`."""
        yield self

    def seconds(self) -> float:
        """See `ports.Threads`. What was called in place has taken its time too."""
        return self._clock.now_s + self._in_place_s

    async def run_sync(self, call: Callable[[], T]) -> T:
        """See `ports.Threads`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._random.random() < self._stepwise_share:
            result = await self._run_stepwise(call)
        else:
            result = await self._run_whole(call)
        return result.unwrap()

    def at_call(self) -> None:
        """The disk is about to be called: its time passes, and others get their turn meanwhile."""
        if self._running is None:
            self._in_place_s += self._any_s() / 4
        else:
            self._running.halt()

    def at_read(self) -> None:
        """The same for a call that finds all it wants in the page cache."""
        if self._running is not None:
            self._running.halt()

    async def _run_whole(self, call: Callable[[], T]) -> outcome.Outcome[T]:
        early = self._random.randrange(2)
        if not early:
            await self._clock.sleep_shielded(self._any_s())
        result = outcome.capture(call)
        if early:
            await self._clock.sleep_shielded(self._any_s())
        return result

    async def _run_stepwise(self, call: Callable[[], T]) -> outcome.Outcome[T]:
        thread = _idle.pop() if _idle else HaltingThread()
        thread.begin(call)
        while not self._go_on(thread):
            await self._clock.sleep_shielded(self._any_s())
        _idle.append(thread)
        return cast(outcome.Outcome[T], thread.result)

    def _go_on(self, thread: "HaltingThread") -> bool:
        self._running = thread
        try:
            return thread.go_on()
        finally:
            self._running = None

    def _any_s(self) -> float:
        return self._random.expovariate(1 / self._disk_s)


class HaltingThread:
    """A thread that runs only while the one that asked for it waits."""

    def __init__(self) -> None:
        self.result: outcome.Outcome[Any]
        self._call: Callable[[], Any]
        self._done = False
        self._mine, self._yours = Lock(), Lock()
        self._mine.acquire()
        self._yours.acquire()
        Thread(target=self._work, name="simulated", daemon=True).start()

    def begin(self, call: Callable[[], Any]) -> None:
        """Take a call: `go_on` starts it."""
        self._call, self._done = call, False

    def go_on(self) -> bool:
        """Run the call to its next halt. Returns whether it has ended: see `result`."""
        self._mine.release()
        self._yours.acquire()
        return self._done

    def halt(self) -> None:
        """From within the call: let the others run."""
        self._yours.release()
        self._mine.acquire()

    def _work(self) -> None:
        while True:
            self._mine.acquire()
            self.result = outcome.capture(self._call)
            self._done = True
            self._yours.release()


_idle: Final[list[HaltingThread]] = []
"""Threads that have nothing to do; as many as ever were busy at once."""
