"""The order log's task: durable records become lines on standard error."""

from typing import Final

import trio

from tradeclear.pipeline.publisher import Publisher, SlowConsumer
from tradeclear.telemetry.events import ORDER_LINES_DROPPED
from tradeclear.telemetry.lines import LineWriter
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics
from tradeclear.telemetry.order_lines import RECORDS_MAX, encode_lines

PAUSE_S: Final = 0.05
"""Between two batches: a piece for the writer holds many lines."""


class OrderLog:
    """Makes a line of every durable record, as long as somebody takes them."""

    def __init__(self, publisher: Publisher, lines: LineWriter, metrics: Metrics) -> None:
        self._publisher: Final = publisher
        self._lines: Final = lines
        self._metrics: Final = metrics

    async def run(self) -> None:
        """Follow the publisher to its end; what could not be written is counted and skipped."""
        while True:
            with self._publisher.subscribe(RECORDS_MAX) as subscription:
                try:
                    while True:
                        await trio.sleep(PAUSE_S)
                        records = await subscription.take()
                        if not records:
                            return
                        if not self._lines.put(encode_lines(records)):
                            self._metrics.log_lines_dropped += len(records)
                except SlowConsumer as error:
                    dropped = self._publisher.last_seq - error.last_seq
                    self._metrics.log_lines_dropped += dropped
                    log.warning(ORDER_LINES_DROPPED, after_seq=error.last_seq, records=dropped)
