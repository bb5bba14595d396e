"""Numbers on their way out: exact, or refused before anything is sent."""

from decimal import Decimal
from typing import Final, TypeAlias

from tradeclear.model.errors import InvalidField

Number: TypeAlias = Decimal | int
"""A price or a quantity. Never a float: 0.1 is none of them exactly."""

NUMBER_CHARS_MAX: Final = 64


def exact(field: str, number: Number) -> Decimal:
    """`number` as it goes out. Raises `InvalidField` for floats, NaN and infinities."""
    if isinstance(number, bool) or not isinstance(number, Decimal | int):
        raise InvalidField(field, f'must be exact, as in Decimal("0.1"), not {number!r:.80}')
    decimal = Decimal(number)
    if not decimal.is_finite():
        raise InvalidField(field, f"must be finite, not {number}")
    if len(str(decimal)) > NUMBER_CHARS_MAX:
        raise InvalidField(field, f"must be written with at most {NUMBER_CHARS_MAX} characters")
    return decimal


def exact_or_none(field: str, number: Number | None) -> Decimal | None:
    """The same for a number that may be left out."""
    return None if number is None else exact(field, number)
