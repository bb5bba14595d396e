"""The book matches best and oldest first, within price, quantity and number of fills."""

import pytest

from tradeclear.core.book import Match, OrderBook
from tradeclear.core.lifecycle import Order
from tradeclear.model.order import Side


def order(name: str, side: Side, price: int, remaining: int, client: str = "bob") -> Order:
    return Order(name, client, side, price, remaining, remaining)


@pytest.fixture
def book() -> OrderBook:
    """Asks: a1 3 and a2 4 at 100, a3 5 at 101; a bid b1 of 6 at 98."""
    book = OrderBook()
    for resting in (
        order("a1", "sell", 100, 3),
        order("a2", "sell", 100, 4),
        order("a3", "sell", 101, 5),
        order("b1", "buy", 98, 6),
    ):
        book.rest(resting)
    return book


def fills(match: Match) -> list[tuple[str, int]]:
    return [(maker.order_id, lots) for maker, lots in match.fills]


def shown(book: OrderBook, side: Side) -> list[tuple[int, int, int]]:
    return [(x.price, x.quantity, len(x.queue)) for x in book.side(side).best_first()]


@pytest.mark.parametrize(
    ("side", "price", "crosses"),
    [
        ("buy", 99, False),
        ("buy", 100, True),
        ("buy", 0, True),
        ("sell", 99, False),
        ("sell", 98, True),
        ("sell", 0, True),
    ],
)
def test_order_crosses_at_the_best_price_or_better(
    book: OrderBook, side: Side, price: int, crosses: bool
) -> None:
    assert book.crosses(side, price) is crosses


@pytest.mark.parametrize("price", [0, 100])
def test_nothing_crosses_an_empty_side(price: int) -> None:
    assert not OrderBook().crosses("buy", price)


def test_match_takes_the_best_and_oldest(book: OrderBook) -> None:
    match = book.match("buy", 101, 9, 100)
    assert (fills(match), match.remaining) == ([("a1", 3), ("a2", 4), ("a3", 2)], 0)


def test_match_stops_at_the_price(book: OrderBook) -> None:
    match = book.match("buy", 100, 9, 100)
    assert (fills(match), match.remaining) == ([("a1", 3), ("a2", 4)], 2)


def test_match_without_a_price_takes_every_level(book: OrderBook) -> None:
    match = book.match("buy", 0, 99, 100)
    assert (fills(match), match.remaining) == ([("a1", 3), ("a2", 4), ("a3", 5)], 87)


def test_match_stops_after_so_many_fills(book: OrderBook) -> None:
    match = book.match("buy", 0, 99, 2)
    assert (fills(match), match.remaining) == ([("a1", 3), ("a2", 4)], 92)


def test_match_stops_before_a_maker_to_avoid(book: OrderBook) -> None:
    book.rest(order("own", "sell", 100, 9, client="ann"))
    match = book.match("buy", 0, 99, 100, "ann")
    assert (fills(match), match.own and match.own.order_id) == ([("a1", 3), ("a2", 4)], "own")


def test_match_tells_the_levels_it_changed(book: OrderBook) -> None:
    match = book.match("buy", 0, 8, 100)
    assert [(level.price, level.quantity) for level in match.levels] == [(100, 0), (101, 4)]


def test_match_tells_no_level_it_only_looked_at(book: OrderBook) -> None:
    book.rest(order("own", "sell", 99, 9, client="ann"))
    assert book.match("buy", 0, 8, 100, "ann").levels == []


def test_match_changes_the_other_side_only(book: OrderBook) -> None:
    book.match("buy", 0, 8, 100)
    book.assert_consistent()
    assert (shown(book, "sell"), shown(book, "buy")) == ([(101, 4, 1)], [(98, 6, 1)])


def test_sell_matches_the_highest_bid_first(book: OrderBook) -> None:
    book.rest(order("b2", "buy", 99, 1))
    match = book.match("sell", 98, 3, 100)
    assert fills(match) == [("b2", 1), ("b1", 2)]


def test_match_finds_its_way_past_orders_that_left(book: OrderBook) -> None:
    late = [order(f"late{number}", "sell", 100, 1) for number in range(6)]
    for each in late:
        book.rest(each)
    for gone in (late[0], late[1], late[3], late[5]):
        book.remove(gone)
    match = book.match("buy", 100, 9, 100)
    assert fills(match) == [("a1", 3), ("a2", 4), ("late2", 1), ("late4", 1)]


@pytest.mark.parametrize(
    ("price", "quantity", "fills_max", "expected"),
    [
        (100, 7, 100, True),
        (100, 8, 100, False),
        (101, 12, 100, True),
        (0, 12, 3, True),
        (0, 12, 2, False),
        (99, 1, 100, False),
        (0, 13, 100, False),
    ],
)
def test_fillable_is_whether_it_could_trade_whole(
    book: OrderBook, price: int, quantity: int, fills_max: int, expected: bool
) -> None:
    assert book.fillable("buy", price, quantity, fills_max) is expected


@pytest.mark.parametrize(
    ("quantity", "skip", "expected"),
    [(3, False, True), (4, False, False), (4, True, True), (13, True, False)],
)
def test_fillable_does_not_count_orders_to_avoid(quantity: int, skip: bool, expected: bool) -> None:
    book = OrderBook()
    book.rest(order("a1", "sell", 100, 3))
    book.rest(order("own", "sell", 100, 4, client="ann"))
    book.rest(order("a2", "sell", 100, 9))
    assert book.fillable("buy", 0, quantity, 100, "ann", skip) is expected


def test_orders_passed_by_count_as_meetings() -> None:
    book = OrderBook()
    book.rest(order("own", "sell", 100, 4, client="ann"))
    book.rest(order("a", "sell", 100, 1))
    assert not book.fillable("buy", 0, 1, 1, "ann", skip=True)


def test_fillable_changes_nothing(book: OrderBook) -> None:
    book.fillable("buy", 0, 12, 100)
    assert shown(book, "sell") == [(100, 7, 2), (101, 5, 1)]


def test_crossed_book_is_found_out(book: OrderBook) -> None:
    book.rest(order("b2", "buy", 100, 1))
    with pytest.raises(AssertionError, match="crossed or locked"):
        book.assert_consistent()
