"""L2 views show the best levels with running sums; level changes fold back into the same book."""

import pytest

from tradeclear.core.book import OrderBook
from tradeclear.core.depth import Depth, DepthLevel, LevelBook, depth
from tradeclear.core.lifecycle import Order
from tradeclear.model.events import LevelChanged
from tradeclear.model.order import Side

BTC = "BTC-USD"


@pytest.fixture
def book() -> OrderBook:
    book = OrderBook()
    resting: list[tuple[Side, int, int]] = [
        ("buy", 98, 3),
        ("buy", 99, 1),
        ("buy", 99, 4),
        ("sell", 102, 7),
        ("sell", 101, 2),
    ]
    for side, price, remaining in resting:
        book.rest(Order("o", "ann", side, price, remaining, remaining))
    return book


def test_depth_sums_from_the_best_level_on(book: OrderBook) -> None:
    assert depth(book, 10) == Depth(
        bids=(DepthLevel(99, 5, 2, 5, 495), DepthLevel(98, 3, 1, 8, 789)),
        asks=(DepthLevel(101, 2, 1, 2, 202), DepthLevel(102, 7, 1, 9, 916)),
    )


def test_depth_shows_so_many_levels(book: OrderBook) -> None:
    assert depth(book, 1) == Depth(
        bids=(DepthLevel(99, 5, 2, 5, 495),), asks=(DepthLevel(101, 2, 1, 2, 202),)
    )


def test_empty_book_has_no_depth() -> None:
    assert depth(OrderBook(), 10) == Depth(bids=(), asks=())


def test_depth_shows_what_is_left_of_an_order(book: OrderBook) -> None:
    book.match("sell", 99, 2, 100)
    assert depth(book, 1).bids == (DepthLevel(99, 3, 1, 3, 297),)


def test_level_changes_are_absolute() -> None:
    folded = LevelBook()
    folded.apply(LevelChanged(BTC, "buy", 100, 5, 1))
    folded.apply(LevelChanged(BTC, "buy", 100, 3, 1))
    folded.apply(LevelChanged(BTC, "sell", 100, 9, 2))
    assert folded.levels == {(BTC, "buy", 100): (3, 1), (BTC, "sell", 100): (9, 2)}


def test_level_without_orders_is_gone() -> None:
    folded = LevelBook()
    folded.apply(LevelChanged(BTC, "buy", 100, 5, 1))
    folded.apply(LevelChanged(BTC, "buy", 100, 0, 0))
    assert folded.levels == {}


def test_level_that_was_never_there_may_go() -> None:
    folded = LevelBook()
    folded.apply(LevelChanged(BTC, "buy", 100, 0, 0))
    assert folded.levels == {}
