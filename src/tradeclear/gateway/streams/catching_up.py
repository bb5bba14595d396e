"""Catching up: from where a subscription begins, a snapshot or a place in the log, to the present.

At most a page waits to be sent, and the next is read when it has gone, so a subscriber costs no
more while it catches up than later. Near the present it joins those who are told live.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from tradeclear.gateway.streams.conflation import Conflation
from tradeclear.gateway.streams.message import Message
from tradeclear.gateway.streams.snapshot import State, parts, read_state
from tradeclear.gateway.streams.streams import Streams
from tradeclear.gateway.streams.subscriber import Subscriber
from tradeclear.gateway.streams.topic import Topic
from tradeclear.model.events import Record
from tradeclear.model.units import Seq
from tradeclear.wal.errors import RecordPruned

CHUNK_BYTES: Final = 16_384
"""So many bytes are sent before there must be room again; a message is sent whole."""

Resume: TypeAlias = Literal["none", "replayed", "too_old", "ahead"]

Id: TypeAlias = int | str | None

_encode: Final = msgspec.json.Encoder().encode


class Start(Struct, kw_only=True):
    """What a subscriber asked for. `topics`: those still wanted, of one instrument or more.

    `asked`: the channels, in the order of the request.
    """

    topics: list[Topic]
    asked: tuple[str, ...]
    from_sequence: Seq | None = None
    id: Id = None

    def instruments(self) -> list[str]:
        """Their names, each once."""
        return list(dict.fromkeys(topic.instrument for topic in self.topics))


class CatchingUp:
    """One start's way to the present."""

    def __init__(self, streams: Streams, subscriber: Subscriber, start: Start) -> None:
        self._streams: Final = streams
        self._subscriber: Final = subscriber
        self._start: Final = start
        self._chain: dict[Topic, Seq] = {}
        self._steps: Final = not any(topic.interval_ms for topic in start.topics)

    async def run(self) -> None:
        """Tell it all until it is live, or wanted no more. Cancelled, it may be live or not.

        Raises `OutcomeUnknown` if the exchange fails, `LogDamaged` or `RecordUnreadable` if the log
        can't be read.
        """
        resume = self._judge()
        if self._start.from_sequence is not None:
            self._streams.metrics.stream_resumes[resume] += 1
        if resume == "replayed":
            assert self._start.from_sequence is not None
            try:
                await self._replay(self._start.from_sequence)
                return
            except RecordPruned:
                resume = "too_old"
        while True:
            try:
                await self._begin_anew(resume)
                return
            except RecordPruned:
                continue  # so slow that the log was pruned meanwhile

    def _judge(self) -> Resume:
        """Whether the start's `from_sequence` can be gone on from."""
        start, streams = self._start, self._streams
        since = start.from_sequence
        if since is None:
            return "none"

        engine_seq, grids = streams.exchange.peek(lambda engine: (engine.seq, engine.grid_since))
        if since > engine_seq:
            return "ahead"
        oldest = max(
            streams.backlog.first_seq - 1,
            engine_seq - streams.limits.resume_records_max,
            *(grids.get(name, 0) - 1 for name in start.instruments()),
        )
        return "replayed" if since >= oldest else "too_old"

    # The two beginnings

    async def _replay(self, since: Seq) -> None:
        self._told_subscribed(since, "replayed")
        await self._go_on(since)

    async def _begin_anew(self, resume: Resume) -> None:
        """With a snapshot. One that is large is held by few at a time."""
        read = partial(read_state, topics=tuple(self._start.topics))
        state = await self._streams.exchange.query(read)
        if state.small:
            await self._tell_state(state, resume)
        else:
            del state
            async with self._streams.snapshots:
                state = await self._streams.exchange.query(read)
                await self._tell_state(state, resume)
        await self._go_on(state.sequence)

    async def _tell_state(self, state: State, resume: Resume) -> None:
        self._told_subscribed(state.sequence, resume)
        for topic in tuple(self._start.topics):
            for message in parts(state, topic, self._streams.instrument(topic.instrument)):
                if topic not in self._start.topics:
                    break
                self._deliver([message])
                await self._subscriber.wait_room()

    # From there to the present

    async def _go_on(self, position: Seq) -> None:
        self._chain = dict.fromkeys(self._start.topics, position)
        join = partial(
            self._streams.join, self._subscriber, lambda: self._start.topics, welcome=self._welcome
        )
        while self._start.topics and not await join(position=position):
            pages = self._streams.backlog.read(position + 1)
            try:
                while page := await pages.next():
                    position = page[-1].seq
                    await self._tell_page(page)
                    if not self._start.topics:
                        return
            finally:
                pages.close()

    async def _tell_page(self, page: list[Record]) -> None:
        """Tell what `page` did, a chunk at a time."""
        messages = self._updates(page)
        first = size = 0
        for number, message in enumerate(messages):
            size += len(message.text)
            if size >= CHUNK_BYTES:
                following = messages[number + 1 : number + 2]
                whole = not following or following[0].sequence > message.sequence
                position = message.sequence if whole and self._steps else 0
                self._deliver(messages[first : number + 1], position)
                await self._subscriber.wait_room()
                if not self._start.topics:
                    return
                first, size = number + 1, 0
        if first < len(messages):
            self._deliver(messages[first:], page[-1].seq)
            await self._subscriber.wait_room()

    def _welcome(self, missed: list[Record], seq: Seq) -> None:
        """The last that was missed, and that it is live now: all in one piece."""
        if not self._start.topics:
            return
        messages = self._updates(missed)
        lives = [
            Message(self._text("live", name, sequence=seq)) for name in self._start.instruments()
        ]
        self._deliver(messages + lives, seq)

    def _updates(self, records: Sequence[Record]) -> list[Message]:
        """What `records` did to what is still wanted."""
        wanted = set(self._start.topics)
        chain = {topic: seq for topic, seq in self._chain.items() if topic in wanted}
        conflations = [Conflation(topic) for topic in chain if topic.interval_ms]
        messages = []
        for record in records:
            messages += [message for _topic, message in self._streams.updates.of(record, chain)]
            for conflation in conflations:
                conflation.take(record)
        for conflation in conflations:
            instrument = self._streams.instrument(conflation.topic.instrument)
            if (message := conflation.tell(chain, instrument)) is not None:
                messages.append(message)
        self._chain = chain
        return messages

    # Telling

    def _told_subscribed(self, position: Seq, resume: Resume) -> None:
        self._deliver(
            [
                Message(self._text("subscribed", name, sequence=position, resume=resume))
                for name in self._start.instruments()
            ]
        )

    def _text(self, kind: str, instrument: str, **members: object) -> bytes:
        start = self._start
        topics = [topic for topic in start.topics if topic.instrument == instrument]
        told: dict[str, object] = {"type": kind}
        if start.id is not None:
            told["id"] = start.id
        told["channels"] = [name for name in start.asked if any(t.channel == name for t in topics)]
        told["instrument"] = instrument
        for topic in topics:
            if topic.client_id:
                told["client_id"] = topic.client_id
            if topic.interval_ms:
                told["interval_ms"] = topic.interval_ms
        return _encode({**told, **members})

    def _deliver(self, messages: list[Message], position: Seq = 0) -> None:
        encoding = self._subscriber.encoding
        steps = self._steps and position > 0
        self._subscriber.deliver(encoding(messages, position, steps=steps))
