"""Those who are subscribed to exactly the same: each batch is put together for them once."""

from collections.abc import Mapping, Sequence
from heapq import merge
from operator import itemgetter
from typing import Final

from tradeclear.gateway.streams.message import Encoding, Message
from tradeclear.gateway.streams.subscriber import Subscriber
from tradeclear.gateway.streams.topic import Topic
from tradeclear.model.units import Seq

Batch = Mapping[Topic, Sequence[tuple[Seq, int, Message]]]
"""New messages by topic, in order: the command's sequence, and a number to tell them apart."""


class Audience:
    """Subscribers with the same topics and the same encoding."""

    def __init__(self, topics: frozenset[Topic], encoding: Encoding) -> None:
        self.topics: Final = topics
        self.encoding: Final = encoding
        self.members: Final[dict[Subscriber, None]] = {}
        self.conflates: Final = any(topic.interval_ms for topic in topics)

    def pick(self, batch: Batch) -> list[Message]:
        """What of `batch` is theirs, in the order of the commands."""
        rows = [batch[topic] for topic in self.topics if topic in batch]
        if len(rows) == 1:
            return [message for _seq, _number, message in rows[0]]
        return [row[2] for row in merge(*rows, key=itemgetter(0, 1))]
