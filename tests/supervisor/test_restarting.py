"""A task that fails is started again, each time after a longer wait, and counted."""

from itertools import pairwise

import trio

from tradeclear.supervisor.restarting import BACKOFF_S_FIRST, restarting
from tradeclear.telemetry.metrics import Metrics


async def test_a_failing_task_is_run_until_it_returns(autojump_clock) -> None:
    metrics = Metrics()
    times: list[float] = []

    async def fragile() -> None:
        times.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if len(times) < 4:
            raise RuntimeError("again")

    await restarting("fragile", fragile, metrics)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == [BACKOFF_S_FIRST, 2 * BACKOFF_S_FIRST, 4 * BACKOFF_S_FIRST]
    assert metrics.tasks_restarted["fragile"] == 3
