"""Tasks that may fail without touching the exchange: logged, and started again after a while."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from tradeclear.telemetry.events import TASK_RESTARTED
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics

BACKOFF_S_FIRST: Final = 0.5
BACKOFF_S_MAX: Final = 30.0


async def restarting(
    name: str,
    run: Callable[[], Awaitable[None]],
    metrics: Metrics,
    final: tuple[type[Exception], ...] = (),
) -> None:
    """Run `run` until it returns; when it raises, wait and run it again, for ever.

    But for the `final` exceptions, which go on to end the process.

    The wait doubles from `BACKOFF_S_FIRST` to `BACKOFF_S_MAX`, and begins anew after a run that was
    longer than the longest wait.
    """
    backoff_s = BACKOFF_S_FIRST
    while True:
        started = trio.current_time()
        try:
            await run()
            return
        except final:
            raise
        except Exception as error:
            if trio.current_time() - started > BACKOFF_S_MAX:
                backoff_s = BACKOFF_S_FIRST
            metrics.tasks_restarted[name] += 1
            log.exception(TASK_RESTARTED, task=name, problem=repr(error), again_in_s=backoff_s)
        await trio.sleep(backoff_s)
        backoff_s = min(2 * backoff_s, BACKOFF_S_MAX)
