"""The rule: a reader shows what Redis holds, whole, says how old it is, and shows nothing stale."""

from collections.abc import AsyncGenerator

import pytest
import trio

from tradeclear.mirror.copies import RedisCopies
from tradeclear.pipeline.book_image import BookImage, CopyUnavailable

from .conftest import Mirrored, image

STALE_AFTER_S = 3.0
FIRST = image(7, ["100.5 0.25 2", "99 1 1"], ["101 1 1"])


@pytest.fixture
async def copies(mirrored: Mirrored, nursery: trio.Nursery) -> AsyncGenerator[RedisCopies]:
    """A reader beside a mirror that has written its first image."""
    mirrored.own.set(FIRST)
    await mirrored.until("tradeclear:BTC-USD:sequence", "7")
    made = RedisCopies(mirrored.redis.url, timeout_s=0.3, stale_after_s=STALE_AFTER_S)
    nursery.start_soon(made.run)
    await mirrored.until_true(lambda: reachable(made))
    yield made
    nursery.cancel_scope.cancel()


def reachable(copies: RedisCopies) -> bool:
    try:
        copies.names()
    except CopyUnavailable:
        return False
    return True


async def test_it_reads_what_was_written(copies: RedisCopies) -> None:
    assert copies.names() == ["BTC-USD", "BTCUSDT"]
    found = await copies.image("BTC-USD", 1000)
    assert (found.sequence, found.bids, found.asks) == (7, FIRST.bids, FIRST.asks)
    assert found.age_s < STALE_AFTER_S
    best = await copies.image("BTC-USD", 1)
    assert (best.bids, best.asks) == (FIRST.bids[:1], FIRST.asks[:1])


async def test_a_book_that_was_never_written_is_not_shown(copies: RedisCopies) -> None:
    with pytest.raises(CopyUnavailable, match="BTCUSDT was last confirmed too long ago"):
        await copies.image("BTCUSDT", 10)


async def test_a_new_top_is_told(mirrored: Mirrored, copies: RedisCopies) -> None:
    with trio.fail_after(10):
        first = await copies.newer_top("BTC-USD", None)
        assert [tuple(one[:2]) for one in first.bids] == [("100.5", "0.25"), ("99", "1")]
        mirrored.own.set(image(8, ["100.5 0.3 2"], ["101 1 1"]))
        second = await copies.newer_top("BTC-USD", first)
        assert [tuple(one[:2]) for one in second.bids] == [("100.5", "0.3")]


async def test_a_copy_that_is_not_confirmed_any_more_is_not_shown(
    mirrored: Mirrored, copies: RedisCopies
) -> None:
    top = await copies.newer_top("BTC-USD", None)
    mirrored.own.now = None  # nothing is known any more: nothing is confirmed
    await mirrored.redis.ask("PEXPIRE", "tradeclear:BTC-USD:confirmed", "1000")
    with pytest.raises(CopyUnavailable, match="is the exchange up"):
        await copies.image("BTC-USD", 10)
    with trio.fail_after(10), pytest.raises(CopyUnavailable, match="is the exchange up"):
        await copies.newer_top("BTC-USD", top)


async def test_what_is_confirmed_again_is_shown_again(
    mirrored: Mirrored, copies: RedisCopies
) -> None:
    mirrored.own.now = None
    await mirrored.redis.ask("DEL", "tradeclear:BTC-USD:confirmed")
    with pytest.raises(CopyUnavailable):
        await copies.image("BTC-USD", 10)
    mirrored.own.set(image(9, ["1 1 1"], []))

    async def shown() -> bool:
        try:
            top = await copies.newer_top("BTC-USD", None)
        except CopyUnavailable:
            return False
        return top.bids[0].price == "1"

    await mirrored.until_true(shown)


@pytest.mark.parametrize("how", ["killed", "hung"])
async def test_a_redis_that_is_gone_is_said_to_be(
    how: str, mirrored: Mirrored, copies: RedisCopies
) -> None:
    top = await copies.newer_top("BTC-USD", None)
    if how == "killed":
        await mirrored.redis.kill()
    else:
        mirrored.redis.pause()
    with trio.fail_after(10), pytest.raises(CopyUnavailable, match="Redis at unix://"):
        await newer_for_ever(copies, top)
    with pytest.raises(CopyUnavailable, match="Redis at unix://"):
        await copies.image("BTC-USD", 10)
    if how == "killed":
        await mirrored.redis.start()
    else:
        mirrored.redis.go_on()
    await mirrored.until_true(lambda: reachable(copies))


async def newer_for_ever(copies: RedisCopies, top: BookImage) -> None:
    while True:
        top = await copies.newer_top("BTC-USD", top)


async def test_an_empty_redis_is_waited_for(mirrored: Mirrored, copies: RedisCopies) -> None:
    mirrored.own.now = None
    await mirrored.redis.ask("FLUSHALL")
    with trio.fail_after(10), pytest.raises(CopyUnavailable):
        await newer_for_ever(copies, await copies.newer_top("BTC-USD", None))
    mirrored.own.set(FIRST)

    async def whole() -> bool:
        try:
            found = await copies.image("BTC-USD", 10)
        except CopyUnavailable:
            return False
        return found.bids == FIRST.bids

    await mirrored.until_true(whole)
