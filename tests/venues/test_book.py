"""A level has one quantity, zero takes it away, and the best stands first."""

import random

import pytest

from tradeclear.venues import book as book_module
from tradeclear.venues.book import Book, BookSide

SEED = 7


def test_best_first_on_both_sides() -> None:
    book = Book(1, [(10, 1), (12, 2), (11, 3)], [(15, 1), (13, 2), (14, 3)])
    assert list(book.bids.best_first()) == [(12, 2), (11, 3), (10, 1)]
    assert list(book.asks.best_first()) == [(13, 2), (14, 3), (15, 1)]
    assert (book.bids.best(), book.asks.best()) == ((12, 2), (13, 2))


def test_quantities_are_absolute_and_zero_is_gone() -> None:
    book = Book(1, [(10, 1), (9, 1)], [])
    book.apply(5, [(10, 7), (9, 0), (8, 2), (3, 0)], [(11, 1)])
    assert list(book.bids.best_first()) == [(10, 7), (8, 2)]
    assert list(book.asks.best_first()) == [(11, 1)]
    assert book.update_id == 5


@pytest.mark.parametrize(("bid", "crossed"), [(9, False), (10, True), (11, True)])
def test_locked_or_crossed_is_told(bid: int, crossed: bool) -> None:
    assert Book(1, [(bid, 1)], [(10, 1)]).crossed == crossed


def test_one_empty_side_crosses_nothing() -> None:
    assert not Book(1, [(10, 1)], []).crossed


def test_the_worst_levels_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "LEVELS_MAX", 3)
    side = BookSide(-1, [(price, 1) for price in range(10)])
    assert [price for price, _ in side.best_first()] == [9, 8, 7]
    side.put([(6, 1), (10, 1)])
    assert [price for price, _ in side.best_first()] == [10, 9, 8]


@pytest.mark.parametrize("sign", [-1, 1])
def test_random_changes_agree_with_a_dictionary(sign: int) -> None:
    print(f"seed {SEED}")  # noqa: T201
    chance = random.Random(SEED)
    side, plain = BookSide(sign, []), {}
    for _ in range(3_000):
        price, quantity = chance.randint(1, 60), chance.choice((0, 0, 1, 5))
        side.put([(price, quantity)])
        plain[price] = quantity
        plain = {price: quantity for price, quantity in plain.items() if quantity}
        assert list(side.best_first()) == sorted(plain.items(), key=lambda level: sign * level[0])
