"""The rule: a figure counts only if the log got a record for every order that was answered."""

import pytest

from measurements.wrk import LoadRefused, check_log


@pytest.mark.parametrize("records", [1_000, 1_032])
def test_every_order_and_at_most_those_under_way(records: int) -> None:
    check_log(1_000, records, 32)


@pytest.mark.parametrize("records", [999, 1_033, 0])
def test_one_too_few_or_too_many_gives_no_figure(records: int) -> None:
    with pytest.raises(LoadRefused):
        check_log(1_000, records, 32)
