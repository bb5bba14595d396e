"""The publisher: hands durable records to everyone who follows the log, each at its own pace.

A follower that lets more than its bound pile up is cut off; nobody waits for it.
"""

from collections import deque
from typing import Final

import trio

from tradeclear.model.events import Record
from tradeclear.model.units import Seq


class SlowConsumer(Exception):
    """The subscription was cut off: records after `last_seq` were not kept. Resume from the log."""

    def __init__(self, last_seq: Seq) -> None:
        super().__init__(f"too slow: cut off after record {last_seq}")
        self.last_seq = last_seq


class Subscription:
    """Durable records from the moment of subscribing on, in order, in batches."""

    def __init__(self, publisher: "Publisher", last_seq: Seq, records_max: int) -> None:
        self._publisher: Final = publisher
        self._records_max: Final = records_max
        self._waiting: deque[Record] = deque()
        self._filled = trio.Event()
        self._cut_off = False
        self._ended = False
        self.last_seq = last_seq

    def put(self, records: list[Record]) -> bool:
        """Take `records`; false if that is too many and the subscription is over."""
        if len(self._waiting) + len(records) > self._records_max:
            self._cut_off = True
            self._waiting.clear()
        else:
            self._waiting.extend(records)
        self._filled.set()
        return not self._cut_off

    async def take(self) -> list[Record]:
        """Everything that came since the last call; nothing if no more will come.

        Raises `SlowConsumer`. Cancelled, it has taken nothing.
        """
        while not (self._waiting or self._cut_off or self._ended):
            self._filled = trio.Event()
            await self._filled.wait()
        if self._cut_off:
            raise SlowConsumer(self.last_seq)
        records = list(self._waiting)
        self._waiting.clear()
        if records:
            self.last_seq = records[-1].seq
        return records

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._filled.set()

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._publisher.drop(self)


class Publisher:
    """Everyone who follows the log. Subscribing and publishing never wait."""

    def __init__(self, last_seq: Seq) -> None:
        self.last_seq = last_seq
        self._subscriptions: set[Subscription] = set()

    def subscribe(self, records_max: int) -> Subscription:
        """Follow from here on, with at most `records_max` records waiting. A context manager."""
        subscription = Subscription(self, self.last_seq, records_max)
        self._subscriptions.add(subscription)
        return subscription

    def drop(self, subscription: Subscription) -> None:
        """End a subscription; nothing if it has ended."""
        self._subscriptions.discard(subscription)

    def publish(self, records: list[Record]) -> None:
        """Give durable `records`, the next ones of the log, to every subscription."""
        self.last_seq = records[-1].seq
        self._subscriptions = {s for s in self._subscriptions if s.put(records)}

    def close(self) -> None:
        """The last record has been published: every subscription ends after it."""
        for subscription in self._subscriptions:
            subscription.end()
