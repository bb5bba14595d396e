"""The rule: a call that has begun in the thread is waited for, whatever becomes of its caller."""

import threading
from functools import partial
from threading import Event

import pytest
import trio
import trio.testing

from tradeclear.pipeline.worker import worker


async def test_a_cancelled_caller_waits_for_its_call() -> None:
    """A cancelled write may still finish; nobody may go on as if it had not been made."""
    begun, may_end = trio.Event(), Event()
    token = trio.lowlevel.current_trio_token()
    ended: list[str] = []

    def write() -> str:
        token.run_sync_soon(begun.set)
        may_end.wait()
        return "written"

    async def call() -> None:
        ended.append(await thread.run_sync(write))

    with worker("test") as thread:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await begun.wait()
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()
            before = list(ended)
            may_end.set()
    assert (before, ended) == ([], ["written"])


async def test_a_worker_ends_after_its_last_call() -> None:
    """Whoever closes the log afterwards finds nobody writing."""
    done: list[int] = []
    with worker("a worker of a test") as thread:
        for number in range(100):
            await thread.run_sync(partial(done.append, number))
    assert done == list(range(100))
    assert "a worker of a test" not in {each.name for each in threading.enumerate()}


async def test_what_the_call_raises_is_raised() -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    with worker("test") as thread:
        with pytest.raises(OSError, match="Input/output"):
            await thread.run_sync(fail)
        assert await thread.run_sync(lambda: 1) == 1


async def test_cancelled_before_it_began_nothing_is_called() -> None:
    called: list[int] = []
    with worker("test") as thread, trio.CancelScope() as scope:
        scope.cancel()
        await thread.run_sync(partial(called.append, 1))
    assert called == []
