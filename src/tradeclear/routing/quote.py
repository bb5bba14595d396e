"""What a market order would get: a walk through one side of a book, which stays as it is."""

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from tradeclear.model.decimals import divide_half_even
from tradeclear.model.order import Side
from tradeclear.routing.outside import SCALE, Level

UNIT: Final = 10**SCALE


class Quote(Struct, frozen=True):
    """What was found of `amount`; all but `notional` in 10**-8, which is in 10**-16.

    `best` is the price of the best level, None if there was none.
    """

    side: Side
    amount: int
    filled: int
    notional: int
    best: int | None

    @property
    def status(self) -> Literal["filled", "partial"]:
        """Whether all of it was found."""
        return "filled" if self.filled == self.amount else "partial"

    @property
    def average_price(self) -> int | None:
        """Per unit, rounded half-even to 10**-8; None if nothing was found."""
        return divide_half_even(self.notional, self.filled) if self.filled else None

    @property
    def slippage_percent(self) -> int | None:
        """How much worse than the best price, in percent, rounded half-even to 10**-8.

        Positive when worse: a buyer pays more, a seller gets less.
        """
        if not self.filled or self.best is None:
            return None
        whole = self.best * self.filled
        worse = self.notional - whole if self.side == "buy" else whole - self.notional
        return divide_half_even(100 * UNIT * worse, whole)


def walk(side: Side, levels: Iterable[Level], amount: int) -> Quote:
    """Take `amount` from `levels`, which are the other side's, best first."""
    left, notional, best = amount, 0, None
    for price, quantity in levels:
        if best is None:
            best = price
        taken = min(left, quantity)
        notional += price * taken
        left -= taken
        if not left:
            break
    return Quote(side, amount, amount - left, notional, best)
