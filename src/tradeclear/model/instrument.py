"""What is traded, and the only place where decimals become ticks and lots and back."""

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from tradeclear.model import decimals
from tradeclear.model.decimals import POWERS, DecimalError, TooPrecise, divide_half_even
from tradeclear.model.errors import InvalidField
from tradeclear.model.units import LOTS_MAX, TICK_LOTS_MAX, Lots, TickLots, Ticks

DERIVED_SCALE: Final = 8
"""Averages and other derived numbers are rounded half-even to this many decimals."""

SCALE_MAX: Final = 18
NAME_PATTERN: Final = r"[A-Z0-9][A-Z0-9._/-]{0,31}"


class Instrument(Struct, frozen=True, kw_only=True):
    """One instrument's grid and limits, in integers.

    A tick is `price_step` x 10**-price_scale of the quote currency, a lot `quantity_step` x
    10**-quantity_scale of the base. Limits are inclusive; notional is in tick-lots. `trading` false
    means that it is known (its past can be shown) but takes no new orders.
    """

    name: str
    price_scale: int
    price_step: int
    quantity_scale: int
    quantity_step: int
    price_ticks_max: Ticks
    quantity_lots_min: Lots
    quantity_lots_max: Lots
    notional_min: TickLots = 0
    notional_max: TickLots = TICK_LOTS_MAX
    trading: bool = True

    def price_ticks(self, text: str, field: str = "price") -> Ticks:
        """Decimal text to ticks, 1 to `price_ticks_max`. Raises `InvalidField` with the remedy."""
        scale, step = self.price_scale, self.price_step
        ticks = _on_grid(field, text, scale, step, "tick", decimals.parse_again)
        if 0 < ticks <= self.price_ticks_max:
            return ticks
        if ticks <= 0:
            raise InvalidField(field, "must be greater than 0")
        raise InvalidField(field, f"must be at most {self.price_text(self.price_ticks_max)}")

    def quantity_lots(self, text: str, field: str = "quantity") -> Lots:
        """Decimal text to lots within the instrument's limits. Raises `InvalidField`."""
        lots = _on_grid(field, text, self.quantity_scale, self.quantity_step, "lot")
        least, most = self.quantity_lots_min, self.quantity_lots_max
        if least <= lots <= most:
            return lots
        if lots <= 0:
            raise InvalidField(field, "must be greater than 0")
        if lots < least:
            raise InvalidField(field, f"must be at least {self.quantity_text(least)}")
        raise InvalidField(field, f"must be at most {self.quantity_text(most)}")

    def check_notional(self, price: Ticks, quantity: Lots, field: str = "quantity") -> None:
        """Refuse an order worth less or more than the instrument allows. Raises `InvalidField`."""
        notional = price * quantity
        if self.notional_min <= notional <= self.notional_max:
            return
        if notional < self.notional_min:
            least = self.notional_text(self.notional_min)
            raise InvalidField(field, f"price x quantity must be at least {least}")
        most = self.notional_text(self.notional_max)
        raise InvalidField(field, f"price x quantity must be at most {most}")

    def price_text(self, ticks: Ticks) -> str:
        return decimals.render_again(ticks * self.price_step, self.price_scale)

    def quantity_text(self, lots: Lots) -> str:
        return decimals.render(lots * self.quantity_step, self.quantity_scale)

    def notional_text(self, tick_lots: TickLots) -> str:
        """Exact value of tick-lots in the quote currency."""
        value = tick_lots * self.price_step * self.quantity_step
        return decimals.render(value, self.price_scale + self.quantity_scale)

    def rounded_notional_text(self, tick_lots: TickLots) -> str:
        """Value of tick-lots, rounded half-even to 8 decimals (exact where 8 decimals hold it)."""
        surplus = self.price_scale + self.quantity_scale - DERIVED_SCALE
        value = tick_lots * self.price_step * self.quantity_step
        if surplus <= 0:
            return decimals.render(value, self.price_scale + self.quantity_scale)
        return decimals.render(divide_half_even(value, POWERS[surplus]), DERIVED_SCALE)

    def average_price_text(self, notional: TickLots, filled: Lots) -> str:
        """What a lot cost on average, notional / filled (> 0), rounded half-even to 8 decimals."""
        value = notional * self.price_step * POWERS[DERIVED_SCALE]
        return decimals.render(
            divide_half_even(value, filled * POWERS[self.price_scale]), DERIVED_SCALE
        )

    @property
    def tick_size(self) -> str:
        return decimals.render(self.price_step, self.price_scale)

    @property
    def lot_size(self) -> str:
        return decimals.render(self.quantity_step, self.quantity_scale)

    def same_grid(self, other: "Instrument") -> bool:
        """Whether a count of ticks and lots means the same in both."""
        return self.tick_size == other.tick_size and self.lot_size == other.lot_size


def _on_grid(
    field: str,
    text: str,
    scale: int,
    step: int,
    unit: str,
    parse: Callable[[str, int], int] = decimals.parse,
) -> int:
    try:
        value = parse(text, scale)
    except TooPrecise:
        raise _off_grid(field, scale, step, unit) from None
    except DecimalError as error:
        raise InvalidField(field, str(error)) from None
    if step == 1:
        return value
    count, rest = divmod(value, step)
    if rest:
        raise _off_grid(field, scale, step, unit)
    return count


def _off_grid(field: str, scale: int, step: int, unit: str) -> InvalidField:
    size = decimals.render(step, scale)
    return InvalidField(field, f"must be a multiple of the {unit} size {size}")


def define_instrument(
    name: str,
    *,
    tick_size: str = "0.01",
    lot_size: str = "0.00001",
    price_max: str = "10000000",
    quantity_min: str | None = None,
    quantity_max: str = "10000",
    notional_min: str = "0",
    notional_max: str | None = None,
    trading: bool = True,
) -> Instrument:
    """Make an instrument from decimal texts as a person writes them.

    `quantity_min` defaults to one lot, `notional_max` to what 64 bits hold. Raises `InvalidField`
    with the setting's name when a text is no positive decimal, a limit is off the grid, a least is
    over its most, or price and quantity could multiply past 64 bits.
    """
    if not re.fullmatch(NAME_PATTERN, name, re.ASCII):
        raise InvalidField("name", "must be 1 to 32 of A-Z, 0-9, '.', '_', '/', '-', e.g. BTC-USD")
    price_scale, price_step = _grid("tick_size", tick_size)
    quantity_scale, quantity_step = _grid("lot_size", lot_size)
    grid = Instrument(
        name=name,
        price_scale=price_scale,
        price_step=price_step,
        quantity_scale=quantity_scale,
        quantity_step=quantity_step,
        price_ticks_max=TICK_LOTS_MAX,
        quantity_lots_min=1,
        quantity_lots_max=TICK_LOTS_MAX,
    )
    price_ticks_max = grid.price_ticks(price_max, "price_max")
    quantity_lots_min = grid.quantity_lots(quantity_min or lot_size, "quantity_min")
    quantity_lots_max = grid.quantity_lots(quantity_max, "quantity_max")
    if quantity_lots_min > quantity_lots_max:
        raise InvalidField("quantity_min", f"is over quantity_max of {name}: no order would do")
    if quantity_lots_max > LOTS_MAX:
        raise InvalidField("quantity_max", f"must be at most 2^40 lots of {lot_size}")
    if price_ticks_max * quantity_lots_max > TICK_LOTS_MAX:
        raise InvalidField(
            "quantity_max",
            f"price_max x quantity_max of {name} is over 2^63 - 1 tick-lots: lower one of them",
        )
    least = _notional(grid, "notional_min", notional_min)
    most = TICK_LOTS_MAX if notional_max is None else _notional(grid, "notional_max", notional_max)
    if least > most:
        raise InvalidField("notional_min", f"is over notional_max of {name}: no order would do")
    return Instrument(
        name=name,
        price_scale=price_scale,
        price_step=price_step,
        quantity_scale=quantity_scale,
        quantity_step=quantity_step,
        price_ticks_max=price_ticks_max,
        quantity_lots_min=quantity_lots_min,
        quantity_lots_max=quantity_lots_max,
        notional_min=least,
        notional_max=most,
        trading=trading,
    )


def _grid(field: str, text: str) -> tuple[int, int]:
    """A step's (scale, integer step): 0.05 is (2, 5), 10 is (0, 10)."""
    try:
        value = decimals.parse(text, SCALE_MAX)
    except DecimalError as error:
        raise InvalidField(field, f"{error} (at most {SCALE_MAX} decimals)") from None
    if value <= 0:
        raise InvalidField(field, "must be greater than 0")
    scale = SCALE_MAX
    while scale and value % 10 == 0:
        value, scale = value // 10, scale - 1
    return scale, value


def _notional(grid: Instrument, field: str, text: str) -> TickLots:
    """Decimal text of the quote currency to whole tick-lots."""
    try:
        value = decimals.parse(text, grid.price_scale + grid.quantity_scale)
    except DecimalError as error:
        raise InvalidField(field, str(error)) from None
    count, rest = divmod(value, grid.price_step * grid.quantity_step)
    if rest or not 0 <= count <= TICK_LOTS_MAX:
        raise InvalidField(field, "must be a multiple of tick size x lot size, at most 2^63 - 1")
    return count
