"""The rule: a quote names what differs, the best prices first, fifty a side."""

from tradeclear.model.commands import Quote
from tradeclear.venues.shadow.difference import difference
from tradeclear.venues.shadow.grid import Quantities


def quote(wanted: Quantities, resting: Quantities) -> Quote | None:
    return difference("house", "BTC-USD", wanted, resting)


def test_nothing_where_all_is_as_it_should_be() -> None:
    assert quote({("buy", 9): 1}, {("buy", 9): 1}) is None
    assert quote({("buy", 9): 0}, {}) is None


def test_more_less_new_and_gone() -> None:
    wanted = {("buy", 9): 5, ("buy", 8): 1, ("sell", 10): 2, ("sell", 11): 3}
    has = {("buy", 9): 4, ("buy", 8): 2, ("sell", 10): 2, ("sell", 12): 7}
    assert quote(wanted, has) == Quote("house", "BTC-USD", ((9, 5), (8, 1)), ((11, 3), (12, 0)))


def test_one_price_on_both_sides_is_two_places() -> None:
    assert quote({("buy", 9): 1}, {("sell", 9): 1}) == Quote(
        "house", "BTC-USD", ((9, 1),), ((9, 0),)
    )


def test_fifty_a_side_the_best_first() -> None:
    wanted: Quantities = {("buy", 100 + n): 1 for n in range(60)}
    wanted |= {("sell", 200 + n): 1 for n in range(60)}
    first = quote(wanted, {})
    assert first is not None
    assert first.bids == tuple((159 - n, 1) for n in range(50))
    assert first.asks == tuple((200 + n, 1) for n in range(50))
    has: Quantities = {("buy", price): lots for price, lots in first.bids}
    has |= {("sell", price): lots for price, lots in first.asks}
    second = quote(wanted, has)
    assert second is not None
    assert (len(second.bids), len(second.asks)) == (10, 10)


def test_what_a_market_that_moved_left_behind_goes_first() -> None:
    has: Quantities = {("sell", 100 + n): 1 for n in range(50)}
    wanted: Quantities = {("buy", 150 + n): 1 for n in range(50)}
    moved = quote(wanted, has)
    assert moved is not None
    assert moved.asks == tuple((100 + n, 0) for n in range(50))
    assert len(moved.bids) == 50
