"""The rule: recovered is the exchange with the first whole second in which every probe was well."""

import math
from array import array

from loadtest.samples import Samples

from measurements.overload import recovery_s

MS, S = 1_000_000, 1_000_000_000
END_S = 10


def probes(*sick: tuple[float, float, int, int]) -> Samples:
    """100 a second for 20 s, 2 ms each, but from and until: latency in ms and status."""
    found = Samples()
    for number in range(2_000):
        due_s, latency, status = number / 100, 2, 201
        for start, end, latency_ms, with_status in sick:
            if start <= due_s < end:
                latency, status = latency_ms, with_status
        found.due_ns.append(round(due_s * S))
        found.latency_ns.append(latency * MS)
        found.status.append(status)
    found.sent_ns = array("q", found.due_ns)
    return found


def recovered(*sick: tuple[float, float, int, int]) -> float:
    return recovery_s(probes(*sick), 5 * S, END_S * S, 0)


def test_well_at_once() -> None:
    assert recovered((5, 10, 900, 201)) == 0


def test_slow_for_a_while() -> None:
    assert math.isclose(recovered((5, 11.5, 900, 201)), 1.5, abs_tol=0.03)


def test_turned_away_for_a_while_however_fast() -> None:
    assert math.isclose(recovered((5, 10.7, 1, 503)), 0.7, abs_tol=0.02)


def test_a_late_relapse_within_the_second_counts() -> None:
    assert recovered((5, 10, 900, 201), (10.5, 10.6, 900, 201)) > 0.55


def test_never() -> None:
    assert recovered((5, 20, 1, 503)) == math.inf


def test_slower_than_before_but_fast_enough_is_well() -> None:
    assert recovered((5, 20, 9, 201)) == 0
