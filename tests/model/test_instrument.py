"""An instrument turns decimals into ticks and lots and back, within limits that 64 bits hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tradeclear.model.errors import InvalidField
from tradeclear.model.instrument import Instrument, define_instrument
from tradeclear.model.units import TICK_LOTS_MAX

BTC = define_instrument("BTC-USD")
FIVES = define_instrument(
    "FIVE-USD",
    tick_size="0.05",
    lot_size="10",
    price_max="1000",
    quantity_min="20",
    quantity_max="5000",
    notional_min="10",
    notional_max="100000",
)


def test_default_grid() -> None:
    assert (
        Instrument(
            name="BTC-USD",
            price_scale=2,
            price_step=1,
            quantity_scale=5,
            quantity_step=1,
            price_ticks_max=1_000_000_000,
            quantity_lots_min=1,
            quantity_lots_max=1_000_000_000,
            notional_min=0,
            notional_max=TICK_LOTS_MAX,
            trading=True,
        )
        == BTC
    )


def test_grid_of_steps_that_are_no_power_of_ten() -> None:
    assert (
        Instrument(
            name="FIVE-USD",
            price_scale=2,
            price_step=5,
            quantity_scale=0,
            quantity_step=10,
            price_ticks_max=20_000,
            quantity_lots_min=2,
            quantity_lots_max=500,
            notional_min=20,
            notional_max=200_000,
            trading=True,
        )
        == FIVES
    )


def test_sizes_are_written_as_they_were_given() -> None:
    assert (FIVES.tick_size, FIVES.lot_size, BTC.tick_size, BTC.lot_size) == (
        "0.05",
        "10",
        "0.01",
        "0.00001",
    )


@pytest.mark.parametrize(
    ("text", "ticks"), [("0.01", 1), ("70150.5", 7_015_050), ("1e7", 1_000_000_000), ("1.10", 110)]
)
def test_price_in_ticks(text: str, ticks: int) -> None:
    assert BTC.price_ticks(text) == ticks


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0", "must be greater than 0"),
        ("-1", "must be greater than 0"),
        ("0.001", "must be a multiple of the tick size 0.01"),
        ("10000000.01", "must be at most 10000000"),
        ("1e40", "must be at most 10000000"),
        ("abc", "must be a plain decimal number such as 70150.5"),
        ("1e999", "must have an exponent between -40 and 40"),
        ("1" * 65, "must be a decimal number of at most 64 characters"),
    ],
)
def test_wrong_price_is_refused_with_the_remedy(text: str, problem: str) -> None:
    with pytest.raises(InvalidField) as caught:
        BTC.price_ticks(text)
    assert (caught.value.field, caught.value.problem) == ("price", problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0", "must be greater than 0"),
        ("-10", "must be greater than 0"),
        ("15", "must be a multiple of the lot size 10"),
        ("10.5", "must be a multiple of the lot size 10"),
        ("10", "must be at least 20"),
        ("5010", "must be at most 5000"),
        ("", "must be a plain decimal number such as 70150.5"),
    ],
)
def test_wrong_quantity_is_refused_with_the_remedy(text: str, problem: str) -> None:
    with pytest.raises(InvalidField) as caught:
        FIVES.quantity_lots(text, "amount")
    assert (caught.value.field, caught.value.problem) == ("amount", problem)


@pytest.mark.parametrize(("text", "lots"), [("20", 2), ("5000", 500), ("5e3", 500), ("30.0", 3)])
def test_quantity_in_lots(text: str, lots: int) -> None:
    assert FIVES.quantity_lots(text) == lots


@pytest.mark.parametrize(
    ("price", "quantity", "problem"),
    [
        (9, 2, "price x quantity must be at least 10"),
        (1_000, 201, "price x quantity must be at most 100000"),
    ],
)
def test_notional_is_bounded(price: int, quantity: int, problem: str) -> None:
    with pytest.raises(InvalidField) as caught:
        FIVES.check_notional(price, quantity)
    assert caught.value.problem == problem


@pytest.mark.parametrize(("price", "quantity"), [(10, 2), (1_000, 200)])
def test_bounds_of_the_notional_are_inclusive(price: int, quantity: int) -> None:
    FIVES.check_notional(price, quantity)


@given(ticks=st.integers(1, 20_000))
def test_price_is_read_as_it_is_written(ticks: int) -> None:
    assert FIVES.price_ticks(FIVES.price_text(ticks)) == ticks


@given(lots=st.integers(2, 500))
def test_quantity_is_read_as_it_is_written(lots: int) -> None:
    assert FIVES.quantity_lots(FIVES.quantity_text(lots)) == lots


def test_notional_is_exact() -> None:
    assert (BTC.notional_text(7_015_050 * 25_000), FIVES.notional_text(3)) == ("17537.625", "1.5")


@pytest.mark.parametrize(
    ("tick_lots", "text"),
    [
        (1, "0"),
        (5, "0"),
        (6, "0.00000001"),
        (15, "0.00000002"),
        (25, "0.00000002"),
        (10, "0.00000001"),
    ],
)
def test_notional_is_rounded_half_even_to_eight_decimals(tick_lots: int, text: str) -> None:
    nine = define_instrument("N", tick_size="0.0001", lot_size="0.00001", price_max="1000")
    assert nine.rounded_notional_text(tick_lots) == text


def test_notional_of_few_decimals_is_not_rounded() -> None:
    assert BTC.rounded_notional_text(7_015_050 * 25_000) == "17537.625"


@pytest.mark.parametrize(
    ("notional", "filled", "text"),
    [
        (200, 2, "1"),
        (301, 3, "1.00333333"),
        (302, 3, "1.00666667"),
        (7_015_050 * 25_000, 25_000, "70150.5"),
    ],
)
def test_average_price_is_rounded_to_eight_decimals(notional: int, filled: int, text: str) -> None:
    assert BTC.average_price_text(notional, filled) == text


def test_average_price_counts_the_tick() -> None:
    assert FIVES.average_price_text(5, 2) == "0.125"


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"price_scale": 3, "price_step": 10}, True),
        ({"price_ticks_max": 5, "trading": False}, True),
        ({"price_step": 2}, False),
        ({"quantity_scale": 4}, False),
    ],
)
def test_grids_are_compared_by_what_they_are_worth(changes: dict[str, Any], same: bool) -> None:
    assert BTC.same_grid(replace(BTC, **changes)) is same


# Defining


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "btc-usd"}, "name"),
        ({"name": "-BTC"}, "name"),
        ({"name": "B" * 33}, "name"),
        ({"name": "BTC\n"}, "name"),
        ({"name": "B\u0410"}, "name"),
        ({"tick_size": "0"}, "tick_size"),
        ({"tick_size": "-0.01"}, "tick_size"),
        ({"tick_size": "1e-19"}, "tick_size"),
        ({"lot_size": "x"}, "lot_size"),
        ({"price_max": "0.001"}, "price_max"),
        ({"quantity_min": "0"}, "quantity_min"),
        ({"quantity_min": "0.000001"}, "quantity_min"),
        ({"quantity_max": "0"}, "quantity_max"),
        ({"quantity_max": "10995117.77777"}, "quantity_max"),
        ({"price_max": "1e9", "quantity_max": "1e6"}, "quantity_max"),
        ({"notional_min": "-1"}, "notional_min"),
        ({"notional_min": "0.00000001"}, "notional_min"),
        ({"notional_max": "1e30"}, "notional_max"),
        ({"quantity_min": "2", "quantity_max": "1"}, "quantity_min"),
        ({"notional_min": "2", "notional_max": "1"}, "notional_min"),
    ],
)
def test_wrong_setting_is_refused_by_its_name(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        define_instrument(**{"name": "BTC-USD", **settings})
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["B", "BTC-USD", "1INCH/USD", "A.B_C-D/E", "B" * 32])
def test_good_name_is_taken(name: str) -> None:
    assert define_instrument(name).name == name


def test_price_times_quantity_fits_64_bits_just() -> None:
    at_most = define_instrument(
        "X", tick_size="1", lot_size="1", price_max="8388607", quantity_max="1099511627776"
    )
    worth = at_most.price_ticks_max * at_most.quantity_lots_max
    assert (worth <= TICK_LOTS_MAX, worth + at_most.quantity_lots_max > TICK_LOTS_MAX) == (
        True,
        True,
    )
