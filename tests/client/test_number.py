"""The rule: what is not exact is not sent."""

from decimal import Decimal
from typing import Any

import pytest

from tradeclear.client.number import exact, exact_or_none
from tradeclear.model.errors import InvalidField


@pytest.mark.parametrize("number", [Decimal("70150.5"), Decimal("1E+3"), 7, 2**62])
def test_exact_numbers_pass(number: Decimal | int) -> None:
    assert exact("price", number) == number
    assert exact_or_none("price", number) == number


def test_none_may_be_left_out() -> None:
    assert exact_or_none("price", None) is None


@pytest.mark.parametrize(
    "number",
    [0.1, 1.0, "1", True, None, Decimal("NaN"), Decimal("Infinity"), Decimal("1" * 65), 10**64],
)
def test_everything_else_is_refused_with_its_field(number: Any) -> None:
    with pytest.raises(InvalidField) as refused:
        exact("price", number)
    assert refused.value.field == "price"
