"""The order log's task: durable records become lines on standard error."""

import sys
from functools import partial
from typing import Final

import trio

from tradeclear.pipeline.publisher import Publisher, SlowConsumer
from tradeclear.telemetry.events import ORDER_LINES_DROPPED
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics
from tradeclear.telemetry.order_lines import RECORDS_MAX, write_lines

PAUSE_S: Final = 0.05
"""Between two writes, so that a thread is troubled for many lines and not for each commit."""


class OrderLog:
    """Writes a line for every durable record, as long as it can keep up."""

    def __init__(self, publisher: Publisher, metrics: Metrics, *, enabled: bool = True) -> None:
        self._enabled: Final = enabled
        self._publisher: Final = publisher
        self._metrics: Final = metrics

    async def run(self) -> None:
        """Follow the publisher to its end; what it could not keep up with is counted and skipped.

        Cancelled, lines that are being written may still come, or only in part.
        """
        while self._enabled:
            with self._publisher.subscribe(RECORDS_MAX) as subscription:
                try:
                    while True:
                        await trio.sleep(PAUSE_S)
                        records = await subscription.take()
                        if not records:
                            return
                        write = partial(write_lines, sys.stderr.buffer, records)
                        await trio.to_thread.run_sync(write, abandon_on_cancel=True)
                except SlowConsumer as error:
                    dropped = self._publisher.last_seq - error.last_seq
                    self._metrics.log_lines_dropped += dropped
                    log.warning(ORDER_LINES_DROPPED, after_seq=error.last_seq, records=dropped)
