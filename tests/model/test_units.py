"""Every number in a record fits 64 bits."""

from tradeclear.model.units import LOTS_MAX, OPEN_ORDERS_MAX, TICK_LOTS_MAX


def test_fullest_level_fits_64_bits() -> None:
    assert LOTS_MAX * OPEN_ORDERS_MAX <= TICK_LOTS_MAX == 2**63 - 1
