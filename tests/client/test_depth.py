"""The rule: a live book is whole or not there, and who waits hears of every change or the end."""

import math
from typing import Any

import pytest
import trio

from tradeclear.client.backoff import Patience
from tradeclear.client.depth import open_depth
from tradeclear.client.errors import Refused
from tradeclear.client.level import Level

from .conftest import SocketScript, Talk, problem

FOR_EVER = Patience(first_s=0.01, most_s=0.1, give_up_s=math.inf)
BOOK = {"channel": "orderbook_deltas", "instrument": "X"}


async def begin(talk: Talk, sequence: int, resume: str = "none") -> dict[str, Any]:
    asked: dict[str, Any] = await talk.hear()
    told = {"id": asked["id"], "channels": asked["channels"], "instrument": "X"}
    await talk.say(type="subscribed", **told, sequence=sequence, resume=resume)
    return asked


async def say_part(talk: Talk, part: int, parts: int, **levels: Any) -> None:
    numbers = {"sequence": 10, "part": part, "parts": parts, "complete": True}
    await talk.say(type="snapshot", **BOOK, **numbers, **{"bids": [], "asks": [], **levels})


async def say_update(talk: Talk, previous: int, sequence: int, **levels: Any) -> None:
    numbers = {"sequence": sequence, "previous_sequence": previous}
    time = "2025-01-31T08:00:01.000000Z"
    told = {"bids": [], "asks": [], **levels}
    await talk.say(type="update", **BOOK, **numbers, timestamp=time, **told)


def prices(levels: tuple[Level, ...]) -> list[float]:
    return [float(level.price) for level in levels]


async def test_it_is_there_when_the_snapshot_is_whole(socket_script: SocketScript) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        await begin(talk, 10)
        await say_part(talk, 1, 2, bids=[[3, 1, 1], [2, 1, 1]])
        await say_part(talk, 2, 2, asks=[[4, 1, 1]])
        await talk.hear()

    async with open_depth(socket_script.url, "X", patience=FOR_EVER) as depth:
        bids, asks = depth.levels(5)
        assert (prices(bids), prices(asks), depth.sequence) == ([3, 2], [4], 10)
        assert depth.best_bid == bids[0]
        assert depth.best_ask == asks[0]


async def test_changes_are_waited_for(socket_script: SocketScript) -> None:
    go = trio.Event()

    @socket_script.part
    async def _(talk: Talk) -> None:
        await begin(talk, 10)
        await say_part(talk, 1, 1, bids=[[3, 1, 1]])
        await go.wait()
        await say_update(talk, 10, 12, bids=[[3, 0, 0]])
        await say_update(talk, 12, 13, asks=[[5, 1, 1]])
        await talk.hear()

    async with open_depth(socket_script.url, "X", patience=FOR_EVER) as depth:
        go.set()
        await depth.wait_changed()
        assert depth.best_bid is None
        await depth.wait_sequence(13)
        assert prices(depth.levels(1)[1]) == [5]
        await depth.wait_sequence(13)


async def test_a_change_between_two_turns_is_not_missed(socket_script: SocketScript) -> None:
    go = trio.Event()

    @socket_script.part
    async def _(talk: Talk) -> None:
        await begin(talk, 10)
        await say_part(talk, 1, 1, bids=[[3, 1, 1]])
        await go.wait()
        await say_update(talk, 10, 12, bids=[[3, 0, 0]])
        await say_update(talk, 12, 13, asks=[[5, 1, 1]])
        await talk.hear()

    seen = []
    async with open_depth(socket_script.url, "X", patience=FOR_EVER) as depth:
        async for sequence in depth.changes():
            seen.append(sequence)
            if len(seen) == 2:
                break
            go.set()
            await depth.wait_sequence(13)
    assert seen == [10, 13]


async def test_a_loss_in_the_midst_of_a_snapshot_leaves_no_half_book(
    socket_script: SocketScript, jumping_clock: object
) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        await begin(talk, 10)
        await say_part(talk, 1, 2, bids=[[3, 1, 1]])
        await talk.close(1001, "shutting down")

    @socket_script.part
    async def _(talk: Talk) -> None:
        assert "from_sequence" not in await begin(talk, 10)
        await say_part(talk, 1, 1, bids=[[7, 1, 1]])
        await talk.hear()

    async with open_depth(socket_script.url, "X", patience=FOR_EVER) as depth:
        assert prices(depth.levels(9)[0]) == [7]


async def test_a_resumption_too_old_replaces_the_book_whole(
    socket_script: SocketScript, jumping_clock: object
) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        await begin(talk, 10)
        await say_part(talk, 1, 1, bids=[[3, 1, 1]])
        await talk.close(1001, "shutting down")

    @socket_script.part
    async def _(talk: Talk) -> None:
        assert (await begin(talk, 10, "too_old"))["from_sequence"] == 10
        await say_part(talk, 1, 1, bids=[[7, 1, 1]])
        await talk.hear()

    async with open_depth(socket_script.url, "X", patience=FOR_EVER) as depth:
        await depth.wait_changed()
        assert prices(depth.levels(9)[0]) == [7]


async def test_an_instrument_that_is_not_there(socket_script: SocketScript) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        asked = await talk.hear()
        refusal = problem(1002, "invalid_field", 400, field="instrument")
        await talk.say(type="error", id=asked["id"], problem=refusal)
        await talk.hear()

    with pytest.raises(Refused) as refused:
        async with open_depth(socket_script.url, "X", patience=FOR_EVER):
            pass
    assert refused.value.field == "instrument"
