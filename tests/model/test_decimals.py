"""Decimal text to scaled integers and back, exactly, at a cost that no exponent can raise."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tradeclear.model.decimals import (
    POWERS,
    TEXT_CHARS_MAX,
    DecimalError,
    divide_half_even,
    parse,
    render,
)

SCALES = st.integers(0, 36)


@pytest.mark.parametrize(
    ("text", "scale", "value"),
    [
        ("70150.5", 2, 7015050),
        ("0.25", 5, 25000),
        ("1", 0, 1),
        ("007", 2, 700),
        ("1.50000000000000000000", 2, 150),
        ("-1.5", 2, -150),
        ("-0", 2, 0),
        ("1e3", 2, 100000),
        ("1E+3", 0, 1000),
        ("15e-1", 1, 15),
        ("1.5e1", 0, 15),
        ("0e9", 2, 0),
        ("0." + "0" * 61 + "0", 2, 0),
    ],
)
def test_number_is_read_exactly(text: str, scale: int, value: int) -> None:
    assert parse(text, scale) == value


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "-", "+1", "1.", ".5", "1.2.3", "1,5", "1_000", "0x1", " 1", "1 ", "1\n",
        "--1", "1e", "e1", "1e1.5", "1e+-1", "NaN", "inf", "Infinity", "true", "None",
        "\u0661", "\uff11", "1\u0661", "1.\u00b2", "\u00bd", "1e\u0661", "1\x00",
    ],
)  # fmt: skip
def test_anything_else_is_no_number(text: str) -> None:
    with pytest.raises(DecimalError, match="plain decimal number"):
        parse(text, 2)


@pytest.mark.parametrize("text", ["0.001", "1e-3", "1.5e-2", "0.0101"])
def test_what_the_scale_cannot_hold_is_never_rounded(text: str) -> None:
    with pytest.raises(DecimalError, match="too many decimal places"):
        parse(text, 2)


@pytest.mark.parametrize("text", ["1e999", "1e-999", "9e105", "1e-105", "0e999", "-1e999"])
def test_exponent_is_bounded(text: str) -> None:
    with pytest.raises(DecimalError, match="exponent"):
        parse(text, 2)


@pytest.mark.parametrize("text", ["1e9999", "1e999999999", "1e" + "9" * 62, "1e-999999999"])
def test_exponent_bomb_is_not_even_read(text: str) -> None:
    with pytest.raises(DecimalError):
        parse(text, 2)


@pytest.mark.parametrize("digits", ["9", "0.", "1e"])
def test_length_is_bounded(digits: str) -> None:
    with pytest.raises(DecimalError, match=f"at most {TEXT_CHARS_MAX} characters"):
        parse(digits + "9" * TEXT_CHARS_MAX, 2)


def test_largest_text_is_read() -> None:
    assert parse("9" * TEXT_CHARS_MAX, 36) == (10**TEXT_CHARS_MAX - 1) * 10**36


def test_no_input_needs_a_power_that_is_not_there() -> None:
    """The widest shifts: the exponent's bound and the scale of a notional."""
    assert (parse("1e104", 36), len(POWERS) > 140) == (10**140, True)


@given(value=st.integers(-(10**40), 10**40), scale=SCALES)
def test_what_was_written_is_read_again(value: int, scale: int) -> None:
    assert parse(render(value, scale), scale) == value


@given(value=st.integers(-(10**40), 10**40), scale=SCALES)
def test_written_text_is_exact(value: int, scale: int) -> None:
    with localcontext(prec=200):
        assert Decimal(render(value, scale)) == Decimal(value).scaleb(-scale)


@given(value=st.integers(-(10**40), 10**40), scale=SCALES)
def test_written_text_is_the_shortest(value: int, scale: int) -> None:
    text = render(value, scale)
    assert ("e" not in text, not ("." in text and text.endswith(("0", ".")))) == (True, True)


@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=8), scale=SCALES)
def test_reading_agrees_with_decimal(number: Decimal, scale: int) -> None:
    agrees(str(number), scale)


@given(
    digits=st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    scale=SCALES,
)
def test_reading_any_number_agrees_with_decimal(digits: str, scale: int) -> None:
    agrees(digits, scale)


def agrees(text: str, scale: int) -> None:
    """Read `text` as `Decimal` does, or refuse it because its value is off the scale."""
    assume(text.isascii() and len(text) <= TEXT_CHARS_MAX)
    with localcontext(prec=300):
        exact = Decimal(text).scaleb(scale)
        whole = exact == exact.to_integral_value()
    try:
        value = parse(text, scale)
    except DecimalError:
        assert not whole, f"{text} is refused"
    else:
        assert exact == value


@pytest.mark.parametrize(
    ("numerator", "denominator", "nearest"),
    [
        (5, 2, 2), (7, 2, 4), (6, 4, 2), (10, 4, 2), (1, 3, 0), (2, 3, 1),
        (-5, 2, -2), (-7, 2, -4), (-1, 3, 0), (-2, 3, -1), (0, 7, 0),
    ],
)  # fmt: skip
def test_ties_go_to_the_even_one(numerator: int, denominator: int, nearest: int) -> None:
    assert divide_half_even(numerator, denominator) == nearest


@given(numerator=st.integers(-(10**30), 10**30), denominator=st.integers(1, 10**15))
def test_division_agrees_with_decimal(numerator: int, denominator: int) -> None:
    with localcontext(prec=100):
        exact = Decimal(numerator) / Decimal(denominator)
        expected = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    assert divide_half_even(numerator, denominator) == expected
