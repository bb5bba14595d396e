"""The rule: on our grid a price moves away from the middle, and a quantity never grows."""

import random
from decimal import Decimal
from typing import Any

from tradeclear.model.instrument import define_instrument
from tradeclear.routing.outside import Reading
from tradeclear.venues.book import Book
from tradeclear.venues.messages import read_level
from tradeclear.venues.shadow.grid import Grid


def grid(**terms: Any) -> Grid:
    return Grid(define_instrument("BTC-USD", **terms))


def reading(bids: list[str], asks: list[str]) -> Reading:
    """A book of levels written `price quantity`."""
    rows = [[read_level(*text.split()) for text in side] for side in (bids, asks)]
    book = Book(1, rows[0], rows[1])
    return Reading("stream", 1, 0.0, False, book.bids, book.asks)


def test_a_level_on_the_grid_is_exact() -> None:
    shown = grid().shown(reading(["61829.76 3.57571"], ["61829.77 0.49624"]), 50)
    assert shown == {("buy", 6_182_976): 357_571, ("sell", 6_182_977): 49_624}


def test_prices_move_away_from_the_middle() -> None:
    shown = grid(tick_size="0.5").shown(reading(["100.99 1"], ["101.01 1"]), 50)
    assert shown == {("buy", 201): 100_000, ("sell", 203): 100_000}


def test_quantities_are_rounded_down_and_none_is_no_level() -> None:
    book = reading(["100 1.99999999", "99 0.00009999"], ["101 0.5"])
    assert grid(lot_size="0.0001").shown(book, 50) == {
        ("buy", 10_000): 19_999,
        ("sell", 10_100): 5_000,
    }


def test_levels_of_one_tick_are_added_up_before_they_are_rounded() -> None:
    book = reading(["100.9 0.6", "100.2 0.6"], ["101.1 0.6", "101.9 0.6", "102.5 1"])
    assert grid(tick_size="1", lot_size="1").shown(book, 50) == {
        ("buy", 100): 1,
        ("sell", 102): 1,
        ("sell", 103): 1,
    }


def test_only_the_best_levels_are_shown() -> None:
    book = reading([f"{90 + n} 1" for n in range(9)], [f"{100 + n} 1" for n in range(9)])
    assert set(grid().shown(book, 2)) == {
        ("buy", 9_800),
        ("buy", 9_700),
        ("sell", 10_000),
        ("sell", 10_100),
    }


def test_what_is_outside_of_the_limits_is_left_out_or_cut_down() -> None:
    limited = grid(price_max="200", quantity_max="5", notional_max="450")
    book = reading(["100 9", "80 9"], ["150 9", "201 1"])
    assert limited.shown(book, 50) == {
        ("buy", 10_000): 450_000,
        ("buy", 8_000): 500_000,
        ("sell", 15_000): 300_000,
    }


def test_a_trade_is_taken_from_the_level_that_the_maker_has_here() -> None:
    coarse = grid(tick_size="0.5", lot_size="0.01")
    assert coarse.taken("buy", *read_level("100.99", "1.239")) == (("buy", 201), 123)
    assert coarse.taken("sell", *read_level("101.01", "1.239")) == (("sell", 203), 123)


def test_a_trade_that_no_order_here_could_make_is_none() -> None:
    assert grid(lot_size="0.01").taken("buy", *read_level("100", "0.009")) is None
    assert grid(quantity_min="0.5").taken("buy", *read_level("100", "0.4")) is None
    assert grid(notional_min="10").taken("buy", *read_level("100", "0.09")) is None
    assert grid(price_max="50").taken("sell", *read_level("100", "1")) is None


def test_any_grid_against_decimals() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    draw = random.Random(seed)
    for _ in range(2_000):
        tick, lot = (
            draw.choice(["0.01", "0.05", "0.3", "7", "0.0000001"]),
            draw.choice(["1", "0.003"]),
        )
        here = grid(tick_size=tick, lot_size=lot, price_max="21", quantity_max="300")
        price, quantity = draw.randrange(1, 10**10), draw.randrange(10**10)
        exact, lots = Decimal(price) / 10**8, here.lots(quantity)
        down, up = here.ticks("buy", price), here.ticks("sell", price)
        assert down * Decimal(tick) <= exact < (down + 1) * Decimal(tick)
        assert (up - 1) * Decimal(tick) < exact <= up * Decimal(tick)
        assert lots * Decimal(lot) <= Decimal(quantity) / 10**8 < (lots + 1) * Decimal(lot)
