"""What happens, as it happens: several topics over one connection, in one iteration.

Every message of a topic comes once and in order, over lost connections, restarts of the exchange
and gaps; where that can't be, a `Subscribed` says so and the topic begins anew.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeAlias

import msgspec
import trio
from msgspec import Struct

from tradeclear.client.backoff import Patience
from tradeclear.client.errors import ClientError, Disconnected, Refused
from tradeclear.client.following import Following
from tradeclear.client.messages import Live, Message, StreamError, Update, place_of, read_message
from tradeclear.client.reconnecting import keep_connected
from tradeclear.client.tending import tended_nursery
from tradeclear.client.topic import Place, Topic
from tradeclear.client.websocket import WebSocket, websocket_url
from tradeclear.model.errors import InvalidField
from tradeclear.model.units import Seq

PATH: Final = "/stream"
BUFFER_MESSAGES: Final = 256
"""So many messages wait for the reader. Behind them the network's buffers fill, then the exchange
cuts the connection off, and the stream comes back to where it was once there is room."""

TOO_SLOW: Final = 4008

State: TypeAlias = Literal["connecting", "catching_up", "live"]

_encode: Final = msgspec.json.Encoder().encode


class StreamStatistics(Struct, frozen=True, kw_only=True):
    """What has happened to a stream so far.

    `connections` made, `gaps` that were noticed and mended, `cut_offs` because the reader was too
    slow, messages `skipped` because they had come before, and messages `waiting` for the reader.
    """

    connections: int
    gaps: int
    cut_offs: int
    skipped: int
    waiting: int


class Stream:
    """Iterate over it for messages. It ends only with an error: `Refused`, if a topic can't be had;
    `Unreachable`, if patience was limited; `NotUnderstood`.

    Cancelled, `receive` has taken no message. One reader at a time.
    """

    def __init__(self, url: str, topics: tuple[Topic, ...], patience: Patience) -> None:
        if not topics:
            raise InvalidField("topics", "must name one at least")
        self._url: Final = websocket_url(url, PATH)
        self._patience: Final = patience
        self._following: Final[dict[Place, Following]] = {
            topic.place: Following(topic) for topic in topics
        }
        if len(self._following) < len(topics):
            raise InvalidField("topics", "must differ in channel, instrument or client")
        self._buffer, self._messages = trio.open_memory_channel[Message](BUFFER_MESSAGES)
        self._failure: ClientError | None = None
        self._connected = False
        self._last_id = 0
        self._connections = self._gaps = self._cut_offs = self._skipped = 0

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Message:
        return await self.receive()

    async def receive(self) -> Message:
        """The next message of any topic."""
        try:
            return await self._messages.receive()
        except trio.EndOfChannel:
            if self._failure is None:  # `run` is ending with something worse, and takes us along
                await trio.sleep_forever()
                raise AssertionError("nobody sleeps so long") from None
            raise self._failure from None

    @property
    def state(self) -> State:
        """`live`: all topics have been brought to the present."""
        if not self._connected:
            return "connecting"
        live = all(following.live for following in self._following.values())
        return "live" if live else "catching_up"

    def position(self, topic: Topic) -> Seq | None:
        """Everything of `topic` up to there has come in, and may still wait to be read."""
        return self._following[topic.place].position

    def statistics(self) -> StreamStatistics:
        """What has happened so far."""
        return StreamStatistics(
            connections=self._connections,
            gaps=self._gaps,
            cut_offs=self._cut_offs,
            skipped=self._skipped,
            waiting=self._messages.statistics().current_buffer_used,
        )

    async def run(self) -> None:
        """Keep it up; returns when it has failed."""
        with self._buffer:  # not `async with`: cancelled there, it would forget what ended it
            self._failure = await keep_connected(self._url, self._talk, self._patience)

    async def _talk(self, socket: WebSocket, worked: Callable[[], None]) -> None:
        """Subscribe to everything, from where it was, and hand out what comes."""
        self._connected = True
        self._connections += 1
        try:
            for following in self._following.values():
                await self._subscribe(socket, following)
            while True:
                await self._take(socket, await socket.receive(), worked)
        except Disconnected as lost:
            self._cut_offs += lost.code == TOO_SLOW
            raise
        finally:
            self._connected = False
            for following in self._following.values():
                following.lost()

    async def _subscribe(self, socket: WebSocket, following: Following) -> None:
        self._last_id += 1
        await socket.send(_encode(following.ask(self._last_id)))

    async def _take(self, socket: WebSocket, text: str | bytes, worked: Callable[[], None]) -> None:
        message = read_message(text)
        if isinstance(message, StreamError):
            raise Refused(message.problem)
        following = self._following.get(place_of(message))
        verdict = "skip" if following is None else following.judge(message)
        if verdict == "tell":
            if isinstance(message, Update | Live):
                worked()
            await self._buffer.send(message)
        elif verdict == "skip":
            self._skipped += 1
        elif verdict == "stuck":
            raise Disconnected("subscribing again has not mended a gap")
        else:
            assert following is not None
            self._gaps += 1
            await self._subscribe(socket, following)


@asynccontextmanager
async def open_stream(url: str, *topics: Topic, patience: Patience) -> AsyncGenerator[Stream]:
    """Follow `topics` of the exchange at `url`, over a connection that is kept up beside the body.

    Returns at once, connected or not. Raises `InvalidField` for no topics, or the same twice.
    """
    stream = Stream(url, topics, patience)
    async with tended_nursery() as nursery:
        nursery.start_soon(stream.run)
        yield stream
