"""The streams of one exchange: makes every message once and hands it to all who subscribed.

It follows the log only while there is a connection. What it takes at one time, a commit or several,
goes to each subscriber in one piece, made once for all who have the same topics (`fan_out.py`).

A subscription joins at a sequence (`join`): what came after that and has been handed out already is
among the recent records, so that nothing is missing and nothing comes twice.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Final, NamedTuple

import trio

from tradeclear.core.engine import Engine
from tradeclear.gateway.streams.audience import Audience, Batch
from tradeclear.gateway.streams.conflation import Conflation
from tradeclear.gateway.streams.fan_out import Piece, hand_out
from tradeclear.gateway.streams.message import Encoding, Message
from tradeclear.gateway.streams.subscriber import FAULT, GOING_AWAY, TRY_AGAIN, Subscriber
from tradeclear.gateway.streams.topic import INTERVALS_MS, Topic
from tradeclear.gateway.streams.updates import Updates
from tradeclear.model.events import Record
from tradeclear.model.instrument import Instrument
from tradeclear.model.units import Seq
from tradeclear.pipeline.backlog import Backlog
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.publisher import SlowConsumer
from tradeclear.telemetry.events import REQUEST_FAILED, STREAMS_BEHIND
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics

RECORDS_WAITING_MAX: Final = 65_536
"""With so many records not handed out, everyone is told to come again: it will not be caught up."""

ROUND_RECORDS_MAX: Final = 4_096
"""So many records are handed out in one piece."""

RECENT_MAX: Final = 2_048
"""So many records stay at hand for those who join."""

SNAPSHOTS_MAX: Final = 4
"""So many snapshots of more than a part are held at the same time."""

TURN_RECORDS: Final = 16
TICK_MS: Final = INTERVALS_MS[0]


class StreamLimits(NamedTuple):
    """What all connections, one of them, and one resume may ask for."""

    connections_max: int = 5_000
    subscriptions_max: int = 100
    resume_records_max: int = 1_000_000


class Streams:
    """All who follow the exchange. `run` is its task; `join` may wait, nothing else does."""

    def __init__(
        self, exchange: Exchange, backlog: Backlog, metrics: Metrics, limits: StreamLimits
    ) -> None:
        self.exchange: Final = exchange
        self.backlog: Final = backlog
        self.metrics: Final = metrics
        self.limits: Final = limits
        self.updates: Final = Updates(exchange)
        self.snapshots: Final = trio.Semaphore(SNAPSHOTS_MAX)
        self.seq: Seq = 0
        """Everything up to here has been handed out, or is about to be."""
        self._recent: Final[deque[Record]] = deque(maxlen=RECENT_MAX)
        self._chain: Final[dict[Topic, Seq]] = {}
        self._conflations: Final[dict[Topic, Conflation]] = {}
        self._audiences: Final[dict[tuple[frozenset[Topic], Encoding], Audience]] = {}
        self._by_topic: Final[dict[Topic, set[Audience]]] = {}
        self._audience_of: Final[dict[Subscriber, Audience]] = {}
        self._connections: Final[dict[Subscriber, None]] = {}
        self._turn: Final = trio.Lock()
        self._making = False
        self._following = False
        self._closed = False
        self._wanted = trio.Event()
        self._moved = trio.Event()
        self._conflating = trio.Event()

    # Connections

    def enter(self, subscriber: Subscriber) -> bool:
        """Take a connection in; false if there are too many."""
        if self._closed or len(self._connections) >= self.limits.connections_max:
            return False
        self._connections[subscriber] = None
        self._wanted.set()
        return True

    def exit(self, subscriber: Subscriber) -> None:
        """A connection is over; nothing if it was before."""
        self._connections.pop(subscriber, None)
        self._place(subscriber, frozenset())

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    @property
    def subscriptions(self) -> int:
        """How many topics are subscribed to, over all connections."""
        return sum(len(one.topics) * len(one.members) for one in self._audiences.values())

    def close(self) -> None:
        """The exchange stops: say so to everyone, and let `run` return."""
        self._closed = True
        self._wanted.set()
        self.end(GOING_AWAY, "the exchange is shutting down")

    def end(self, code: int, reason: str) -> None:
        """Close every connection, saying why."""
        for subscriber in tuple(self._connections):
            try:
                subscriber.dismiss(code, reason)
            except Exception as error:
                self._fault(subscriber, error)

    # Subscriptions

    async def join(
        self,
        subscriber: Subscriber,
        topics: Callable[[], Collection[Topic]],
        position: Seq,
        welcome: Callable[[list[Record], Seq], None],
    ) -> bool:
        """Have `subscriber` told from now on; false if `position` is too far back for that.

        Waits until records up to `position` have been handed out, and then, all at once: asks
        `topics` for what is still wanted, tells `welcome` the records after `position` and the
        sequence with which being told begins, and adds the topics to those of the subscriber.
        """
        while not self._following or self._making or self.seq < position:
            await self._moved.wait()
        missed = self.seq - position
        if missed > len(self._recent):
            return False
        recent = self._recent
        welcome(list(islice(recent, len(recent) - missed, None)), self.seq)
        if subscriber in self._connections:
            self._add(subscriber, topics())
        return True

    def leave(self, subscriber: Subscriber, topics: Iterable[Topic]) -> None:
        """Tell `subscriber` of `topics` no more."""
        if (audience := self._audience_of.get(subscriber)) is not None:
            self._place(subscriber, audience.topics.difference(topics))

    def _add(self, subscriber: Subscriber, topics: Collection[Topic]) -> None:
        audience = self._audience_of.get(subscriber)
        known = frozenset[Topic]() if audience is None else audience.topics
        self._place(subscriber, known.union(topics))

    def _place(self, subscriber: Subscriber, topics: frozenset[Topic]) -> None:
        """Put `subscriber` among those with exactly `topics`."""
        old = self._audience_of.pop(subscriber, None)
        if topics:
            key = (topics, subscriber.encoding)
            audience = self._audiences.get(key)
            if audience is None:
                self._audiences[key] = audience = Audience(*key)
                for topic in topics:
                    self._listen(topic, audience)
            audience.members[subscriber] = None
            self._audience_of[subscriber] = audience
            if audience is old:
                return
        if old is not None:
            old.members.pop(subscriber, None)
            if not old.members:
                self._dissolve(old)

    def _listen(self, topic: Topic, audience: Audience) -> None:
        listening = self._by_topic.get(topic)
        if listening is None:
            self._by_topic[topic] = listening = set()
            self._chain[topic] = self.seq
            if topic.interval_ms:
                self._conflations[topic] = Conflation(topic)
                self._conflating.set()
        listening.add(audience)

    def _dissolve(self, audience: Audience) -> None:
        del self._audiences[audience.topics, audience.encoding]
        for topic in audience.topics:
            listening = self._by_topic[topic]
            listening.discard(audience)
            if not listening:
                del self._by_topic[topic], self._chain[topic]
                self._conflations.pop(topic, None)

    # Following

    async def run(self) -> None:
        """Follow the exchange while anyone does. Returns when the exchange has ended."""
        try:
            while True:
                await self._wanted.wait()
                if self._closed or not await self._follow():
                    self.close()
                    return
        except Exception:
            self.end(FAULT, "a fault of ours: come back and resume")
            raise

    async def _follow(self) -> bool:
        """Hand out until nobody is there (true) or nothing will come any more (false)."""
        with self.exchange.follow(RECORDS_WAITING_MAX) as subscription:
            self._recent.clear()
            self._making = False
            self._move(subscription.last_seq)
            self._following = True
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._tick)
                    while self._connections:
                        records = await subscription.take()
                        if not records:
                            nursery.cancel_scope.cancel()
                            return False
                        for first in range(0, len(records), ROUND_RECORDS_MAX):
                            await self._publish(records[first : first + ROUND_RECORDS_MAX])
                    nursery.cancel_scope.cancel()
            except* SlowConsumer:
                log.warning(STREAMS_BEHIND, seq=self.seq, connections=len(self._connections))
                self.end(TRY_AGAIN, "the streams fell behind: come back and resume")
            finally:
                self._following = False
        if not (self._connections or self._closed):
            self._wanted = trio.Event()
        return True

    def _move(self, seq: Seq) -> None:
        self.seq = seq
        self._moved.set()
        self._moved = trio.Event()

    async def _publish(self, records: list[Record]) -> None:
        """Hand out what `records`, the next of the log, did to every topic."""
        async with self._turn:
            self._making = True
            batch: dict[Topic, list[tuple[Seq, int, Message]]] = {}
            for number, record in enumerate(records):
                if self._by_topic:
                    for conflation in self._conflations.values():
                        conflation.take(record)
                    for place, (topic, message) in enumerate(self.updates.of(record, self._chain)):
                        batch.setdefault(topic, []).append((record.seq, place, message))
                if not (number + 1) % TURN_RECORDS:
                    await trio.lowlevel.checkpoint()
            self._recent.extend(records)
            self._making = False
            self._move(records[-1].seq)
            await self._hand_out(self._pieces(batch))

    def _pieces(self, batch: Batch, *, ticks: bool = False) -> list[Piece]:
        """What goes to whom. `ticks`: it is the turn of conflated depth."""
        touched: dict[Audience, None] = {}
        for topic in batch:
            touched.update(dict.fromkeys(self._by_topic.get(topic, ())))
        pieces = []
        for audience in touched:
            messages = audience.pick(batch)
            position = self.seq if ticks or not audience.conflates else 0
            data = audience.encoding(messages, position, steps=not ticks)
            pieces.append(Piece(data, len(messages), list(audience.members)))
        return pieces

    async def _hand_out(self, pieces: list[Piece]) -> None:
        await hand_out(pieces, self._fault, self._newest)
        for data, messages, members in pieces:
            self.metrics.stream_messages += messages * len(members)
            self.metrics.stream_bytes += len(data) * len(members)

    def _newest(self) -> Seq:
        return self.exchange.peek(_sequence)

    def _fault(self, subscriber: Subscriber, error: Exception) -> None:
        """A fault of ours met `subscriber`: it alone goes without."""
        log.exception(REQUEST_FAILED, route="streams", problem=repr(error))
        self.exit(subscriber)

    # Conflation

    async def _tick(self) -> None:
        """Hand out conflated depth whenever it is its time."""
        elapsed_ms = 0
        while True:
            if not self._conflations:
                self._conflating = trio.Event()
                await self._conflating.wait()
            await trio.sleep(TICK_MS / 1000)
            elapsed_ms += TICK_MS
            async with self._turn:
                batch: dict[Topic, list[tuple[Seq, int, Message]]] = {}
                for topic, conflation in self._conflations.items():
                    if elapsed_ms % topic.interval_ms:
                        continue
                    instrument = self.instrument(topic.instrument)
                    if (message := conflation.tell(self._chain, instrument)) is not None:
                        batch[topic] = [(message.sequence, 0, message)]
                if batch:
                    await self._hand_out(self._pieces(batch, ticks=True))

    def instrument(self, name: str) -> Instrument:
        """An instrument that is known."""
        found = self.exchange.instrument(name)
        assert found is not None, f"{name} is not configured"
        return found


def _sequence(engine: Engine) -> Seq:
    return engine.seq
