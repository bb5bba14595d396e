"""What is shown is the stream if fresh, else the poll; what lags or ended grows old."""

from typing import Any

import pytest
import trio
import trio.testing

from tradeclear.pipeline.book_image import BookImage, BookLevel
from tradeclear.venues.book import Book
from tradeclear.venues.market import Market
from tradeclear.venues.messages import Snapshot

UNIT = 10**8


def book(update_id: int) -> Book:
    return Book(update_id, [(100, 1)], [(101, 1)])


def snapshot(update_id: int) -> Snapshot:
    return Snapshot(update_id, ((100, 2),), ((101, 2),))


@pytest.fixture
def market() -> Market:
    return Market("BTCUSDT", stale_after_s=5)


def shown(market: Market) -> tuple[str, int, bool]:
    reading = market.reading()
    assert reading is not None
    return reading.source, reading.update_id, reading.stale


async def test_nothing_is_known_at_first(market: Market, autojump_clock: Any) -> None:
    assert market.reading() is None
    assert await market.image(10) is None


async def test_the_stream_wins_while_it_is_fresh(market: Market, autojump_clock: Any) -> None:
    market.polled(snapshot(5), trio.current_time())
    assert shown(market) == ("poll", 5, False)
    market.streamed(book(6))
    assert shown(market) == ("stream", 6, False)
    await trio.sleep(4)
    market.polled(snapshot(7), trio.current_time())
    assert shown(market) == ("stream", 6, False)
    await trio.sleep(2)
    assert shown(market) == ("poll", 7, False)
    await trio.sleep(10)
    assert shown(market) == ("poll", 7, True)


async def test_where_nothing_happens_a_poll_confirms_the_stream(
    market: Market, autojump_clock: Any
) -> None:
    market.streamed(book(6))
    for _ in range(5):
        await trio.sleep(4)
        market.polled(snapshot(6), trio.current_time())
    assert shown(market) == ("stream", 6, False)
    await trio.sleep(6)
    assert shown(market) == ("stream", 6, True)


async def test_of_two_stale_books_the_younger_is_shown(market: Market, autojump_clock: Any) -> None:
    market.polled(snapshot(5), trio.current_time())
    await trio.sleep(1)
    market.streamed(book(6))
    await trio.sleep(9)
    assert shown(market) == ("stream", 6, True)
    reading = market.reading()
    assert reading is not None
    assert reading.age_s == pytest.approx(9)


async def test_a_poll_is_as_old_as_its_question(market: Market, autojump_clock: Any) -> None:
    asked_at = trio.current_time()
    await trio.sleep(6)
    market.polled(snapshot(5), asked_at)
    assert shown(market) == ("poll", 5, True)


async def test_a_book_that_is_only_a_snapshot_is_as_old_as_its_question(
    market: Market, autojump_clock: Any
) -> None:
    asked_at = trio.current_time()
    await trio.sleep(6)
    market.streamed(book(5), asked_at)
    assert shown(market) == ("stream", 5, True)
    market.streamed(book(6))
    assert shown(market) == ("stream", 6, False)


async def test_a_stream_that_lags_behind_the_polls_is_as_old_as_what_it_lacks(
    market: Market, autojump_clock: Any
) -> None:
    for number in range(8):
        market.polled(snapshot(100 + number), trio.current_time())
        market.streamed(book(10 + number))
        await trio.sleep(1)
    assert shown(market) == ("poll", 107, False)
    market.streamed(book(105))
    assert shown(market) == ("stream", 105, False)


async def test_an_older_poll_is_not_taken_while_the_newer_is_fresh(
    market: Market, autojump_clock: Any
) -> None:
    market.polled(snapshot(7), trio.current_time())
    market.polled(snapshot(6), trio.current_time())
    assert shown(market) == ("poll", 7, False)
    await trio.sleep(6)
    market.polled(snapshot(6), trio.current_time())
    assert shown(market) == ("poll", 6, False)


async def test_a_wrong_book_is_not_shown(market: Market, autojump_clock: Any) -> None:
    market.streamed(book(9))
    market.distrust_stream()
    assert market.reading() is None


async def test_an_image_is_in_exact_texts(market: Market, autojump_clock: Any) -> None:
    one = Book(7, [(61737_63 * 10**6, 154698000), (UNIT, 1)], [(61837_64 * 10**6, UNIT)])
    market.streamed(one)
    assert await market.image(1) == BookImage(
        bids=[BookLevel("61737.63", "1.54698")], asks=[BookLevel("61837.64", "1")], sequence=7
    )


async def test_who_waits_and_who_listens_is_told(market: Market, autojump_clock: Any) -> None:
    told: list[int] = []
    market.on_change(lambda: told.append(market.version))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(market.wait_changed, market.version)
        await trio.testing.wait_all_tasks_blocked()
        market.streamed(book(1))
    assert told == [1]
    await market.wait_changed(0)
