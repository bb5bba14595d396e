"""One subscriber's conversation: what it asks for, what it is subscribed to.

The same for every carrier of texts. `take` is given each message; `run` is the task that brings
subscriptions to the present, one after the other.
"""

from collections import deque
from typing import Final

import msgspec
import trio

from tradeclear.gateway.decode import RequestRefused
from tradeclear.gateway.problems import TOO_MANY_SUBSCRIPTIONS
from tradeclear.gateway.rate_limits import RateLimits
from tradeclear.gateway.refusals import refusal
from tradeclear.gateway.streams import requests
from tradeclear.gateway.streams.catching_up import CatchingUp, Id, Start
from tradeclear.gateway.streams.message import Message
from tradeclear.gateway.streams.requests import StreamRequest
from tradeclear.gateway.streams.streams import Streams
from tradeclear.gateway.streams.subscriber import FAULT, Subscriber
from tradeclear.gateway.streams.topic import Topic
from tradeclear.model.errors import InvalidField, TradeclearError
from tradeclear.telemetry.events import REQUEST_FAILED
from tradeclear.telemetry.logs import log

MESSAGE_BYTES_MAX: Final = 65_536

_encode: Final = msgspec.json.Encoder().encode


class StreamSession:
    """What one connection is subscribed to."""

    def __init__(
        self, streams: Streams, limits: RateLimits, subscriber: Subscriber, address: str
    ) -> None:
        self._streams: Final = streams
        self._limits: Final = limits
        self._subscriber: Final = subscriber
        self._address: Final = address
        self._topics: Final[dict[tuple[str, str, str], Topic]] = {}
        self._starts: Final[deque[Start]] = deque()
        self._started = trio.Event()

    def take(self, text: bytes) -> bool:
        """Do what a message asks for. False if it is not even UTF-8."""
        try:
            text.decode()
        except UnicodeDecodeError:
            return False
        try:
            self._limits.charge_address(self._address)
            request = requests.read_request(text)
        except TradeclearError as error:
            self._refuse(requests.sender(text), error)
            return True
        try:
            if request.op == "subscribe":
                self.begin(requests.start(request, self._streams.exchange))
            elif request.op == "unsubscribe":
                self._unsubscribe(request)
            else:
                self._list(request)
        except TradeclearError as error:
            self._refuse(request.id, error)
        return True

    async def run(self) -> None:
        """Bring what was begun to the present. Never returns; after a fault the subscriber ends."""
        while True:
            while not self._starts:
                self._started = trio.Event()
                await self._started.wait()
            start = self._starts[0]
            try:
                await CatchingUp(self._streams, self._subscriber, start).run()
            except Exception as error:
                log.exception(REQUEST_FAILED, route="streams", problem=repr(error))
                self._subscriber.dismiss(FAULT, "a fault of ours: come back and resume")
                return
            start.topics.clear()
            self._tidy()

    def begin(self, start: Start) -> None:
        """Subscribe, anew to what is subscribed already. Raises `RequestRefused`."""
        new = {topic.place: topic for topic in start.topics}
        most = self._streams.limits.subscriptions_max
        if len(self._topics.keys() | new.keys()) > most:
            raise RequestRefused(
                TOO_MANY_SUBSCRIPTIONS,
                f"at most {most} subscriptions on a connection: unsubscribe some, or open another",
            )
        self._end([self._topics[place] for place in new if place in self._topics])
        self._topics.update(new)
        self._starts.append(start)
        self._started.set()

    def _unsubscribe(self, request: StreamRequest) -> None:
        if request.from_sequence is not None or request.interval_ms is not None:
            field = "interval_ms" if request.from_sequence is None else "from_sequence"
            raise InvalidField(field, "is no field of unsubscribe")
        channels = requests.checked_channels(request.channels or [])
        ended = [
            topic
            for topic in self._topics.values()
            if (not channels or topic.channel in channels)
            and request.instrument in (None, topic.instrument)
            and request.client_id in (None, topic.client_id)
        ]
        self._end(ended)
        self._tell("unsubscribed", request.id, [_shown(topic) for topic in ended])

    def _end(self, topics: list[Topic]) -> None:
        """Tell of `topics` no more, whether they are live or on their way there."""
        self._streams.leave(self._subscriber, topics)
        for topic in topics:
            self._topics.pop(topic.place, None)
            for start in self._starts:
                if topic in start.topics:
                    start.topics.remove(topic)
        self._tidy()

    def _tidy(self) -> None:
        """Forget the starts of which nothing is left to do, but for the one under way."""
        kept = [start for start in self._starts if start.topics]
        self._starts.clear()
        self._starts.extend(kept)

    def _list(self, request: StreamRequest) -> None:
        coming = {topic for start in self._starts for topic in start.topics}
        self._tell(
            "subscriptions",
            request.id,
            [
                {**_shown(topic), "state": "catching_up" if topic in coming else "live"}
                for topic in self._topics.values()
            ],
        )

    def _tell(self, kind: str, number: Id, subscriptions: list[dict[str, object]]) -> None:
        told: dict[str, object] = {"type": kind}
        if number is not None:
            told["id"] = number
        told["subscriptions"] = subscriptions
        self._deliver(_encode(told))

    def _refuse(self, number: Id, error: TradeclearError) -> None:
        """Say no."""
        reply = refusal(error)
        identity = b"" if number is None else b'"id":%b,' % _encode(number)
        self._deliver(b'{"type":"error",%b"problem":%b}' % (identity, reply.body))

    def _deliver(self, text: bytes) -> None:
        self._subscriber.deliver(self._subscriber.encoding([Message(text)]))


def _shown(topic: Topic) -> dict[str, object]:
    told: dict[str, object] = {"channel": topic.channel, "instrument": topic.instrument}
    if topic.client_id:
        told["client_id"] = topic.client_id
    if topic.interval_ms:
        told["interval_ms"] = topic.interval_ms
    return told
