"""A walk takes the best first, changes nothing, and tells averages and slippage exactly."""

import pytest

from tradeclear.routing.quote import Quote, walk

ASKS = [(100, 5), (101, 5), (110, 100)]
BIDS = [(100, 5), (99, 5), (90, 100)]


def test_within_the_best_level_there_is_no_slippage() -> None:
    quote = walk("buy", ASKS, 5)
    assert quote == Quote("buy", amount=5, filled=5, notional=500, best=100)
    assert (quote.average_price, quote.slippage_percent, quote.status) == (100, 0, "filled")


@pytest.mark.parametrize(("side", "levels"), [("buy", ASKS), ("sell", BIDS)])
def test_slippage_is_positive_when_worse_on_both_sides(side, levels) -> None:
    quote = walk(side, levels, 10)
    assert quote.filled == 10
    assert quote.slippage_percent == 50_000_000  # half a percent


def test_too_little_depth_is_partial() -> None:
    quote = walk("buy", ASKS, 111)
    assert (quote.filled, quote.status) == (110, "partial")
    assert quote.notional == 5 * 100 + 5 * 101 + 100 * 110


def test_of_an_empty_side_nothing_is_told() -> None:
    quote = walk("sell", [], 1)
    assert (quote.filled, quote.status) == (0, "partial")
    assert (quote.average_price, quote.slippage_percent) == (None, None)


def test_averages_round_half_to_even() -> None:
    assert walk("buy", [(100, 1), (101, 1)], 2).average_price == 100
    assert walk("buy", [(101, 1), (102, 1)], 2).average_price == 102


def test_levels_beyond_the_amount_are_not_looked_at() -> None:
    levels = iter(ASKS)
    walk("buy", levels, 7)
    assert next(levels) == ASKS[2]
