"""One topic on its way: where it stands, and what a message means to it.

The rules are those of docs/streams.md, *Gaps* and *Resume*. No socket, no clock: it decides, and
`stream.py` does.
"""

from typing import Any, Final, Literal, TypeAlias

from tradeclear.client.messages import Live, Message, Snapshot, Subscribed, Update
from tradeclear.client.topic import Topic
from tradeclear.model.units import Seq

Verdict: TypeAlias = Literal["tell", "skip", "gap", "stuck"]
"""What to do with a message: hand it out, forget it, subscribe again from the position; or leave
the connection, because subscribing again has not mended the gap."""


class Following:
    """A topic and its position: everything up to there has been told."""

    def __init__(self, topic: Topic) -> None:
        self.topic: Final = topic
        self.position: Seq | None = topic.from_sequence
        self.live = False
        self._asked: int | None = None
        self._begun = False  # whether what comes is an answer to what was asked last
        self._in_snapshot = False
        self._gap_at: Seq | None = None

    def ask(self, number: int) -> dict[str, Any]:
        """The request to subscribe, from the position if there is one; answers carry `number`."""
        self._asked = number
        self._begun = False
        self.live = False
        topic = self.topic
        request: dict[str, Any] = {
            "op": "subscribe",
            "id": number,
            "channels": [topic.channel],
            "instrument": topic.instrument,
        }
        if topic.client_id is not None:
            request["client_id"] = topic.client_id
        if topic.interval_ms is not None:
            request["interval_ms"] = topic.interval_ms
        if self.position is not None:
            request["from_sequence"] = self.position
        return request

    def lost(self) -> None:
        """The connection is gone. A snapshot that was not whole is no place to go on from."""
        self.live = False
        self._asked = None
        if self._in_snapshot:
            self.position = None
            self._in_snapshot = False

    def judge(self, message: Message) -> Verdict:
        """What `message`, which is of this topic, means; the position moves on."""
        if isinstance(message, Subscribed):
            return self._subscribed(message)
        if not self._begun:
            return "skip"
        if isinstance(message, Live):
            return self._live(message)
        if isinstance(message, Snapshot):
            self._in_snapshot = message.part < message.parts
            return "tell"
        return self._update(message)

    def _subscribed(self, message: Subscribed) -> Verdict:
        if message.id != self._asked:
            return "skip"
        self._begun = True
        self.position = message.sequence
        self._in_snapshot = message.resume != "replayed" and self.topic.channel != "trades"
        return "tell"

    def _live(self, message: Live) -> Verdict:
        if message.id != self._asked:
            return "skip"
        self.live = True
        self.position = max(self.position or 0, message.sequence)
        return "tell"

    def _update(self, message: Update) -> Verdict:
        assert self.position is not None, "an update before the subscription began"
        if message.sequence <= self.position:
            return "skip"
        if message.previous_sequence > self.position:
            stuck = self._gap_at == self.position
            self._gap_at = self.position
            return "stuck" if stuck else "gap"
        self.position = message.sequence
        return "tell"
