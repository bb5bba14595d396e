"""The rule: percentiles are values that occurred, and count everything that was not turned away."""

from array import array

import pytest
from loadtest.samples import LOST, NOT_SENT, Samples, percentile, percentile_name, slices

MS = 1_000_000


def samples_of(*rows: tuple[int, int, int]) -> Samples:
    """From (due in ms, latency in ms, status)."""
    return Samples(
        array("q", (due * MS for due, _, _ in rows)),
        array("q", (due * MS for due, _, _ in rows)),
        array("q", (latency * MS for _, latency, _ in rows)),
        array("h", (status for _, _, status in rows)),
    )


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100), (0.001, 1), (0.0, 1)]
)
def test_nearest_rank_of_one_to_a_hundred(share: float, value: int) -> None:
    assert percentile(range(1, 101), share) == value


def test_a_single_value_is_every_percentile() -> None:
    assert {percentile([7], share) for share in (0.5, 0.9999, 1.0)} == {7}


def test_nothing_has_no_percentile_but_zero() -> None:
    assert percentile([], 0.99) == 0


def test_names_of_percentiles() -> None:
    names = [percentile_name(share) for share in (0.5, 0.9, 0.999, 0.9999)]
    assert names == ["p50", "p90", "p99.9", "p99.99"]


def test_orders_that_were_lost_count_and_those_turned_away_do_not() -> None:
    rows = [(0, 1, 201), (1, 2, 503), (2, 3, 429), (3, 9_000, LOST), (4, 0, NOT_SENT), (5, 4, 500)]
    samples = samples_of(*rows)
    assert [ns // MS for ns in samples.settled_ns()] == [1, 4, 9_000]
    assert [ns // MS for ns in samples.accepted_ns()] == [1]
    assert samples.failures() == 2


def test_between_takes_orders_by_the_time_they_were_due() -> None:
    samples = samples_of((0, 500, 201), (10, 1, 201), (20, 2, 201), (30, 3, 201))
    chosen = samples.between(10 * MS, 30 * MS)
    assert [ns // MS for ns in chosen.latency_ns] == [1, 2]


def test_after_counts_times_from_there() -> None:
    samples = samples_of((0, 1, 201), (10, 2, 201), (25, 3, 503)).after(10 * MS)
    assert [ns // MS for ns in samples.due_ns] == [0, 15]
    assert list(samples.status) == [201, 503]


def test_slices_lie_where_orders_were_due() -> None:
    samples = samples_of((0, 5, 201), (90, 7, 201), (110, 1, 503), (350, 2, 201))
    rows = list(slices(samples, 0.1))
    assert [round(row.start_s, 3) for row in rows] == [0.0, 0.1, 0.3]
    assert [row.accepted_per_s() for row in rows] == [20.0, 0.0, 10.0]
    assert [row.turned_away_per_s() for row in rows] == [0.0, 10.0, 0.0]


def test_extending_keeps_the_busiest_process() -> None:
    one, two = samples_of((0, 1, 201)), samples_of((1, 2, 201))
    one.cpu_s, one.busiest_share, two.cpu_s, two.busiest_share = 1.0, 0.2, 2.0, 0.7
    one.extend(two)
    assert (len(one), one.cpu_s, one.busiest_share) == (2, 3.0, 0.7)
