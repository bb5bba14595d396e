"""The rule: when orders are due is settled before the first is sent."""

from itertools import pairwise

import pytest
from loadtest.schedule import due_times_ns, share_of


def test_constant_arrivals_are_one_interval_apart() -> None:
    assert list(due_times_ns(1_000, 0.004)) == [0, 1_000_000, 2_000_000, 3_000_000]


def test_intervals_that_are_no_whole_nanoseconds_don_t_add_up_to_drift() -> None:
    due = due_times_ns(3_000, 100)
    assert len(due) == 300_000
    assert due[-1] == round(299_999 * 1e9 / 3_000)


def test_poisson_arrivals_have_the_rate_and_are_ascending() -> None:
    due = due_times_ns(5_000, 10, arrivals="poisson", seed=7)
    assert len(due) == 50_000
    assert all(a <= b for a, b in pairwise(due))
    assert due[-1] == pytest.approx(10e9, rel=0.03)


def test_poisson_arrivals_are_those_of_the_seed() -> None:
    one, same, other = (due_times_ns(100, 1, arrivals="poisson", seed=s) for s in (1, 1, 2))
    assert one == same
    assert one != other


def test_workers_share_the_schedule_without_gap_or_overlap() -> None:
    due = due_times_ns(1_000, 0.01)
    shares = [share_of(due, worker, 3) for worker in range(3)]
    assert sorted(time for share in shares for time in share) == list(due)
    assert [share[0] for share in shares] == [0, 1_000_000, 2_000_000]
