"""Decimal text to scaled integers and back, exactly.

`1.25` at scale 2 is the integer 125. Nothing here passes through a float, and nothing does work
that grows with an exponent: length and exponent are bounded before any arithmetic.
"""

import re
from functools import lru_cache
from typing import Final

TEXT_CHARS_MAX: Final = 64
EXPONENT_MAX: Final = 40

REMEMBERED_MAX: Final = 16_384
"""So many prices are remembered with their texts, each way: the same ones come again and again."""

POWERS: Final[tuple[int, ...]] = tuple(10**places for places in range(256))
"""Powers of ten, more than any accepted exponent and scale add up to."""

_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?", re.ASCII)


class DecimalError(ValueError):
    """The text is no decimal number, or not one that the scale can hold. The message says which."""


class TooPrecise(DecimalError):
    """The number has more decimal places than the scale."""


def parse(text: str, scale: int) -> int:
    """Read decimal `text` as a count of 10**-scale: exact, or `DecimalError`; never rounded."""
    head, point, tail = text.partition(".")
    if text.isascii() and head.isdigit() and len(text) <= TEXT_CHARS_MAX and len(tail) <= scale:
        if not point:
            return int(head) * POWERS[scale]
        if tail.isdigit():
            return int(head + tail.ljust(scale, "0"))
    return _parse_unusual(text, scale)


def _parse_unusual(text: str, scale: int) -> int:
    """Signs, exponents, surplus zeros, and everything that is wrong."""
    if len(text) > TEXT_CHARS_MAX:
        raise DecimalError(f"must be a decimal number of at most {TEXT_CHARS_MAX} characters")
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise DecimalError("must be a plain decimal number such as 70150.5")
    sign, head, tail, exponent_text = match.groups()
    digits = int(head + (tail or ""))
    exponent = int(exponent_text or 0) - len(tail or "")
    if abs(exponent) > EXPONENT_MAX + TEXT_CHARS_MAX:
        raise DecimalError(f"must have an exponent between -{EXPONENT_MAX} and {EXPONENT_MAX}")
    value = _shift(digits, exponent + scale)
    return -value if sign else value


def _shift(digits: int, places: int) -> int:
    if places >= 0:
        return digits * POWERS[places]
    value, rest = divmod(digits, POWERS[-places])
    if rest:
        raise TooPrecise("has too many decimal places")
    return value


def render(value: int, scale: int) -> str:
    """Write `value` x 10**-scale as the shortest exact decimal text, without an exponent."""
    if scale == 0:
        return str(value)
    if value < 0:
        return "-" + render(-value, scale)
    digits = str(value)
    if len(digits) <= scale:
        digits = digits.zfill(scale + 1)
    text = f"{digits[:-scale]}.{digits[-scale:]}"
    return text if digits[-1] != "0" else text.rstrip("0").rstrip(".")


parse_again: Final = lru_cache(REMEMBERED_MAX)(parse)
render_again: Final = lru_cache(REMEMBERED_MAX)(render)
"""The same two for prices."""


def divide_half_even(numerator: int, denominator: int) -> int:
    """The integer nearest to numerator / denominator (> 0), ties to the even one."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient
