"""The rule: an order that beats the sync it contains is no good figure but a wrong measurement."""

import pytest

from measurements.idle import Pair, result_of
from measurements.wrk import LoadRefused


def test_what_an_order_costs_over_the_disk() -> None:
    [target] = result_of([Pair(0.5, 0.2), Pair(0.6, 0.2), Pair(0.9, 0.4)], 0.0).targets
    assert target.measured == "0.40 ms over it (0.60 − 0.20)"
    assert target.holds


def test_too_much_over_the_disk_is_missed() -> None:
    assert result_of([Pair(1.5, 0.2)], 0.0).targets[0].holds is False


def test_an_order_faster_than_its_own_sync_gives_no_figure() -> None:
    with pytest.raises(LoadRefused, match="faster than the sync"):
        result_of([Pair(0.5, 0.2), Pair(0.73, 2.88)], 0.0)
