"""The rule: what users took comes back in ten equal steps, and is whole after the refill time."""

import pytest

from tradeclear.venues.shadow import impact as module
from tradeclear.venues.shadow.impact import Impact

BID = ("buy", 100)
ASK = ("sell", 101)


def test_it_comes_back_in_ten_steps() -> None:
    impact = Impact(refill_s=100.0)
    impact.take(BID, 1_000, 5.0)
    seen = [impact.missing(BID, 5.0 + 10.0 * step + 1.0) for step in range(11)]
    assert seen == [1_000, 900, 800, 700, 600, 500, 400, 300, 200, 100, 0]


def test_part_of_a_lot_is_still_missing() -> None:
    impact = Impact(refill_s=10.0)
    impact.take(BID, 1, 0.0)
    assert [impact.missing(BID, at) for at in (0.0, 9.5, 10.1)] == [1, 1, 0]


def test_another_taking_begins_anew_for_all_that_is_missing() -> None:
    impact = Impact(refill_s=10.0)
    impact.take(BID, 100, 0.0)
    impact.take(BID, 50, 5.0)
    assert impact.missing(BID, 5.0) == 100
    assert impact.missing(BID, 10.0) == 50
    assert impact.missing(BID, 15.1) == 0


def test_prices_and_sides_are_apart() -> None:
    impact = Impact(refill_s=10.0)
    impact.take(BID, 100, 0.0)
    assert impact.missing(ASK, 0.0) == 0
    assert impact.missing(("sell", 100), 0.0) == 0


def test_what_is_refilled_is_forgotten_and_the_rest_is_not() -> None:
    impact = Impact(refill_s=10.0)
    impact.take(BID, 100, 0.0)
    impact.take(ASK, 100, 4.0)
    impact.take(BID, 1, 8.0)
    impact.forget_refilled(14.1)
    assert len(impact) == 1
    assert impact.missing(BID, 14.1) > 0


def test_so_many_places_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLACES_MAX", 3)
    impact = Impact(refill_s=10.0)
    for price in (1, 2, 3, 1, 4):
        impact.take(("buy", price), 10, 0.0)
    assert [impact.missing(("buy", price), 0.0) for price in (1, 2, 3, 4)] == [20, 0, 10, 10]
