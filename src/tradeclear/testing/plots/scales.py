"""From values to places on an axis, and where its marks go."""

from dataclasses import dataclass
from math import ceil, floor, log10


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` onto places `start` to `end`; `logarithmic` needs low > 0."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where `value` goes; what lies outside goes to the edge."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = log10(value / self.low) / log10(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def marks(self) -> list[float]:
        """Round values inside the scale."""
        if self.logarithmic:
            powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
            few = log10(self.high / self.low) > 4
            steps = (1,) if few else (1, 2, 5)
            values = [step * 10.0**power for power in powers for step in steps]
            return [value for value in values if self.low <= value <= self.high * 1.0001]
        step = round_step((self.high - self.low) / 5)
        first = ceil(self.low / step)
        last = floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def round_step(about: float) -> float:
    """1, 2 or 5 times a power of ten, at least `about`."""
    power = 10.0 ** floor(log10(about))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= about * 0.9999)


def covering(values: list[float], *, logarithmic: bool) -> tuple[float, float]:
    """The least and the greatest value of an axis that shows all of `values`."""
    positive = [value for value in values if value > 0] or [1.0]
    if not logarithmic:
        return 0.0, max(positive) * 1.05
    low, high = min(positive) / 1.2, max(positive) * 1.2
    return low, max(high, low * 10)


def number_text(value: float) -> str:
    """A mark's label: 20000 is 20,000, 0.5 is 0.5."""
    if value >= 1:
        return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    return f"{value:.3f}".rstrip("0").rstrip(".") or "0"
