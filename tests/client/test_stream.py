"""The rule: every message once and in order, over losses, gaps and restarts, or it is told."""

import math
from typing import Any

import pytest
import trio
import trio.testing

from tradeclear.client import stream as module
from tradeclear.client.backoff import Patience
from tradeclear.client.errors import NotUnderstood, Refused, Unreachable
from tradeclear.client.messages import Live, Subscribed, TradesUpdate
from tradeclear.client.stream import BUFFER_MESSAGES, Stream, open_stream
from tradeclear.client.topic import Topic
from tradeclear.model.errors import InvalidField

from .conftest import SocketScript, Talk, problem

FOR_EVER = Patience(first_s=0.01, most_s=0.1, give_up_s=math.inf)
TRADES = Topic.trades("X")


class Told:
    """What the exchange's end says of one topic, in the words of docs/streams.md."""

    def __init__(self, talk: Talk, asked: dict[str, Any]) -> None:
        self.talk = talk
        self.asked = asked

    @classmethod
    async def hear(cls, talk: Talk) -> "Told":
        return cls(talk, await talk.hear())

    async def subscribed(self, sequence: int, resume: str = "none") -> None:
        await self._say("subscribed", sequence=sequence, resume=resume)

    async def live(self, sequence: int) -> None:
        await self._say("live", sequence=sequence)

    async def _say(self, kind: str, **more: Any) -> None:
        told = {"type": kind, "id": self.asked["id"], "channels": self.asked["channels"]}
        await self.talk.say(**told, instrument=self.asked["instrument"], **more)

    async def update(self, previous: int, sequence: int) -> None:
        await self.talk.say(
            type="update",
            channel="trades",
            instrument=self.asked["instrument"],
            sequence=sequence,
            previous_sequence=previous,
            timestamp="2025-01-31T08:00:01.000000Z",
            trades=[],
        )


async def sequences(stream: Stream, count: int) -> list[int]:
    """Those of the next updates."""
    found = []
    while len(found) < count:
        message = await stream.receive()
        if isinstance(message, TradesUpdate):
            found.append(message.sequence)
    return found


async def test_a_topic_begins_and_is_live(socket_script: SocketScript) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        told = await Told.hear(talk)
        await told.subscribed(10)
        await told.live(12)
        await told.update(11, 13)
        await talk.until_gone()

    async with open_stream(socket_script.url, TRADES, patience=FOR_EVER) as stream:
        assert stream.state == "connecting"
        messages = [await stream.receive() for _ in range(3)]
        assert [type(message) for message in messages] == [Subscribed, Live, TradesUpdate]
        assert stream.state == "live"
        assert stream.position(TRADES) == 13
    assert socket_script.paths == ["/stream"]


async def test_after_losses_every_topic_goes_on_from_its_own_position(
    socket_script: SocketScript, jumping_clock: object
) -> None:
    asked: list[Any] = []

    @socket_script.part
    async def _(talk: Talk) -> None:
        first, second = await Told.hear(talk), await Told.hear(talk)
        await first.subscribed(10)
        await second.subscribed(10)
        await first.update(10, 11)
        await second.update(10, 15)
        await first.update(11, 14)
        await talk.close(4008, "too slow")

    @socket_script.part
    async def _(talk: Talk) -> None:
        for _ in range(2):
            told = await Told.hear(talk)
            asked.append(told.asked)
            await told.subscribed(told.asked["from_sequence"], "replayed")
        await talk.connection._stream.aclose()

    @socket_script.part
    async def _(talk: Talk) -> None:
        first, second = await Told.hear(talk), await Told.hear(talk)
        await first.subscribed(first.asked["from_sequence"], "replayed")
        await second.subscribed(second.asked["from_sequence"], "replayed")
        await first.update(9, 14)
        await first.update(14, 16)
        await second.update(15, 17)
        await talk.until_gone()

    topics = (TRADES, Topic.trades("Y"))
    async with open_stream(socket_script.url, *topics, patience=FOR_EVER) as stream:
        assert await sequences(stream, 5) == [11, 15, 14, 16, 17]
        statistics = stream.statistics()
        assert (statistics.connections, statistics.cut_offs, statistics.skipped) == (3, 1, 1)
    assert [(one["instrument"], one["from_sequence"]) for one in asked] == [("X", 14), ("Y", 15)]


async def test_a_gap_is_mended_on_the_same_connection(socket_script: SocketScript) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        told = await Told.hear(talk)
        await told.subscribed(10)
        await told.live(10)
        await told.update(12, 13)
        await told.update(13, 14)
        again = await Told.hear(talk)
        assert again.asked["from_sequence"] == 10
        assert again.asked["id"] != told.asked["id"]
        await again.subscribed(10, "replayed")
        await again.update(10, 12)
        await again.update(12, 13)
        await again.update(13, 14)
        await talk.until_gone()

    async with open_stream(socket_script.url, TRADES, patience=FOR_EVER) as stream:
        assert await sequences(stream, 3) == [12, 13, 14]
        assert (stream.statistics().gaps, stream.statistics().connections) == (1, 1)


async def test_a_gap_that_stays_is_met_with_back_off(
    socket_script: SocketScript, jumping_clock: object
) -> None:
    async def broken(talk: Talk) -> None:
        while True:
            told = await Told.hear(talk)
            await told.subscribed(10)
            await told.update(12, 13)

    socket_script.parts = [broken] * 100
    patience = Patience(first_s=1, most_s=8, give_up_s=60)
    async with open_stream(socket_script.url, TRADES, patience=patience) as stream:
        with pytest.raises(Unreachable):
            await sequences(stream, 1)
        assert stream.statistics().connections < 40


@pytest.mark.parametrize("topics", [(), (TRADES, Topic.trades("X", from_sequence=5))])
async def test_topics_that_make_no_stream(topics: tuple[Topic, ...]) -> None:
    with pytest.raises(InvalidField):
        async with open_stream("http://127.0.0.1:1", *topics, patience=FOR_EVER):
            pass


async def test_what_is_lost_is_told(socket_script: SocketScript) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        told = await Told.hear(talk)
        assert told.asked["from_sequence"] == 5
        await told.subscribed(900, "too_old")
        await talk.until_gone()

    topic = Topic.trades("X", from_sequence=5)
    async with open_stream(socket_script.url, topic, patience=FOR_EVER) as stream:
        message = await stream.receive()
        assert isinstance(message, Subscribed)
        assert (message.sequence, message.resume) == (900, "too_old")


async def test_a_slow_reader_holds_so_many_messages_and_loses_none(
    socket_script: SocketScript,
) -> None:
    most = 3 * BUFFER_MESSAGES

    @socket_script.part
    async def _(talk: Talk) -> None:
        told = await Told.hear(talk)
        await told.subscribed(0)
        for sequence in range(1, most + 1):
            await told.update(sequence - 1, sequence)
        await talk.until_gone()

    async with open_stream(socket_script.url, TRADES, patience=FOR_EVER) as stream:
        while stream.statistics().waiting < BUFFER_MESSAGES:
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        assert stream.statistics().waiting == BUFFER_MESSAGES
        assert await sequences(stream, most) == list(range(1, most + 1))


@pytest.mark.parametrize("wrong", ["field", "words"])
async def test_what_is_of_no_use_ends_it_in_the_readers_hands(
    wrong: str, socket_script: SocketScript
) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        told = await Told.hear(talk)
        if wrong == "field":
            refusal = problem(1002, "invalid_field", 400, field="instrument")
            await talk.say(type="error", id=told.asked["id"], problem=refusal)
        else:
            await talk.say(type="gossip")
        await talk.until_gone()

    error = Refused if wrong == "field" else NotUnderstood
    async with open_stream(socket_script.url, TRADES, patience=FOR_EVER) as stream:
        for _ in range(2):
            with pytest.raises(error):
                await stream.receive()


async def test_patience_may_end(jumping_clock: object) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    await listener.aclose()
    async with open_stream(url, TRADES, patience=Patience(give_up_s=60)) as stream:
        with pytest.raises(Unreachable):
            async for _ in stream:
                pass
    assert trio.current_time() > 0


async def test_a_cancelled_reader_has_taken_nothing(socket_script: SocketScript) -> None:
    go = trio.Event()

    @socket_script.part
    async def _(talk: Talk) -> None:
        told = await Told.hear(talk)
        await go.wait()
        await told.subscribed(10)
        await talk.until_gone()

    async with open_stream(socket_script.url, TRADES, patience=FOR_EVER) as stream:
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.receive()
        go.set()
        assert isinstance(await stream.receive(), Subscribed)


@pytest.mark.parametrize("attempt", range(20))
async def test_what_ends_the_task_beside_is_never_lost(
    attempt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C met it, say, while the reader waited. Trio draws who runs first: hence so often."""

    async def interrupted(*_anything: Any) -> None:
        await trio.testing.wait_all_tasks_blocked()
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "keep_connected", interrupted)
    with trio.fail_after(5), pytest.raises(BaseExceptionGroup) as caught:
        async with open_stream("http://127.0.0.1:1", TRADES, patience=FOR_EVER) as stream:
            await stream.receive()
    assert caught.group_contains(KeyboardInterrupt)
