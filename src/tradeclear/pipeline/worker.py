"""A thread that works for one task: what `trio.to_thread` does, for thousands of calls a second.

`to_thread.run_sync` names the thread, copies the context and passes a limiter for every call, about
as much work as a commit itself. Here the thread stays, and a call is a queue's put and one wake-up.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Any, Final, TypeVar, cast

import outcome
import trio

from tradeclear.pipeline import ports

T = TypeVar("T")

_Job = tuple[Callable[[], Any], trio.lowlevel.Task]


class Worker:
    """Runs one blocking call at a time in a thread of its own. Made by `worker`."""

    def __init__(self, name: str) -> None:
        self._jobs: Final[SimpleQueue[_Job | None]] = SimpleQueue()
        self._token: Final = trio.lowlevel.current_trio_token()
        self._thread: Final = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run_sync(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises. A cancelled caller waits for it all the same."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._jobs.put((call, trio.lowlevel.current_task()))
        return cast(T, await trio.lowlevel.wait_task_rescheduled(_finish_first))

    def stop(self) -> None:
        """End the thread; nothing may be running in it."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, task = job
            result = outcome.capture(call)
            self._token.run_sync_soon(trio.lowlevel.reschedule, task, result)


@contextmanager
def worker(name: str) -> Iterator[Worker]:
    """A worker for as long as the block."""
    made = Worker(name)
    try:
        yield made
    finally:
        made.stop()


def _finish_first(_raise_cancel: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


class RealThreads:
    """See `ports.Threads`. The simulation has others, whose time it can see."""

    worker = staticmethod(worker)
    seconds = staticmethod(perf_counter)

    async def run_sync(self, call: Callable[[], T]) -> T:
        """See `ports.Threads`."""
        return await trio.to_thread.run_sync(call)


THREADS: Final[ports.Threads] = RealThreads()
