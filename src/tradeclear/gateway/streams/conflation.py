"""Depth, conflated: of every level that changed, its newest total."""

from typing import Final

from tradeclear.gateway.streams.message import Message
from tradeclear.gateway.streams.topic import Topic
from tradeclear.gateway.streams.updates import Chain, Levels, levels_text, take_level, update
from tradeclear.gateway.views import time_text
from tradeclear.model.events import LevelChanged, Record
from tradeclear.model.instrument import Instrument
from tradeclear.model.units import Micros, Seq


class Conflation:
    """What has changed in one book since its last update."""

    def __init__(self, topic: Topic) -> None:
        self.topic: Final = topic
        self._changed: dict[str, Levels] = {}
        self._sequence: Seq = 0
        self._time: Micros = 0

    def take(self, record: Record) -> None:
        """Note what a record changed."""
        for event in record.events:
            if type(event) is LevelChanged and event.instrument == self.topic.instrument:
                take_level(self._changed, event)
                self._sequence, self._time = record.seq, record.time

    def tell(self, chain: Chain, instrument: Instrument) -> Message | None:
        """The update since the last one, None if nothing changed; `chain` moves on."""
        if not self._changed:
            return None
        levels = self._changed[self.topic.instrument]
        self._changed = {}
        body = f'"timestamp":"{time_text(self._time)}",{levels_text(levels, instrument)}'
        return update(self.topic, self._sequence, chain, body)
