"""A market made up: a random walk with a book around it, the same for the same seed.

Diffs, best levels and trades agree with each other as Binance's do: every change has an update id,
a best level carries the id of the change that made it, and a diff names the ids that it covers.
"""

import random
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from tradeclear.testing.venue_sim.published import Published, SimDiff
from tradeclear.testing.venue_sim.sim_book import Pair, SimBook

STEP_S: Final = 0.1
LEVELS: Final = 200
DISTANCE_TICKS: Final = 120.0
CHANGES_MAX: Final = 40
TRADES_MAX: Final = 6
START_TICKS: Final = 6_500_000
FIRST_UPDATE_ID: Final = 1_000_000
QUANTITY_UNITS: Final = 100_000

_Side = Literal["bids", "asks"]


class Walk:
    """An endless market in `symbol`; prices in hundredths, quantities in 10**-5."""

    def __init__(self, symbol: str, seed: int, *, start_ms: int = 1_700_000_000_000) -> None:
        self.symbol: Final = symbol
        self._seed: Final = seed
        self._start_ms: Final = start_ms

    def book(self) -> SimBook:
        """The book it begins with."""
        return _Steps(self.symbol, self._seed, self._start_ms).image()

    def messages(self) -> Iterator[Published]:
        """What happens, ten steps a second, for ever."""
        steps = _Steps(self.symbol, self._seed, self._start_ms)
        while True:
            yield from steps.step()


class _Steps:
    def __init__(self, symbol: str, seed: int, start_ms: int) -> None:
        self._name: Final = symbol.lower()
        self._symbol: Final = symbol
        self._random: Final = random.Random(seed)
        self._start_ms: Final = start_ms
        self._steps = 0
        self._update_id = FIRST_UPDATE_ID
        self._trade_id = 0
        self._fair = float(START_TICKS)
        self._levels: Final[dict[_Side, dict[int, int]]] = {"bids": {}, "asks": {}}
        self._touched: dict[_Side, dict[int, int]] = {"bids": {}, "asks": {}}
        self._out: list[Published] = []
        for _ in range(LEVELS):
            self._place("bids")
            self._place("asks")
        self._out.clear()

    def image(self) -> SimBook:
        return SimBook(
            self._update_id,
            map(_pair, self._levels["bids"].items()),
            map(_pair, self._levels["asks"].items()),
        )

    def step(self) -> list[Published]:
        """A tenth of a second."""
        self._steps += 1
        self._out = []
        self._touched = {"bids": {}, "asks": {}}
        first = self._update_id + 1
        self._fair = max(1000.0, self._fair + self._random.gauss(0, 3))
        self._clear_way()
        for _ in range(self._random.randint(1, CHANGES_MAX)):
            side: _Side = self._random.choice(("bids", "asks"))
            crowded = len(self._levels[side]) > LEVELS
            self._cancel(side) if crowded else self._place(side)
        for _ in range(self._random.randint(0, TRADES_MAX)):
            self._trade()
        self._diff(first)
        return self._out

    def _clear_way(self) -> None:
        """Take away what the moving price has run over."""
        for price in [price for price in self._levels["bids"] if price >= self._fair]:
            self._change("bids", price, 0)
        for price in [price for price in self._levels["asks"] if price <= self._fair]:
            self._change("asks", price, 0)

    def _place(self, side: _Side) -> None:
        distance = 1 + int(self._random.expovariate(1 / DISTANCE_TICKS))
        price = int(self._fair) + (distance if side == "asks" else 1 - distance)
        bid, ask = self._best("bids"), self._best("asks")
        free = (bid is None or price > bid) if side == "asks" else (ask is None or price < ask)
        if free:
            self._change(side, price, self._random.randint(1, 3 * QUANTITY_UNITS))

    def _cancel(self, side: _Side) -> None:
        self._change(side, self._random.choice(tuple(self._levels[side])), 0)

    def _trade(self) -> None:
        side: _Side = self._random.choice(("bids", "asks"))
        best = self._best(side)
        if best is None or len(self._levels[side]) < 2:
            return
        there = self._levels[side][best]
        quantity = self._random.randint(1, there)
        self._trade_id += 1
        self._publish(
            "trade",
            {
                "e": "trade",
                "E": self._now_ms,
                "s": self._symbol,
                "t": self._trade_id,
                "p": price_text(best),
                "q": quantity_text(quantity),
                "T": self._now_ms,
                "m": side == "bids",
                "M": True,
            },
        )
        self._change(side, best, there - quantity)

    def _change(self, side: _Side, price: int, quantity: int) -> None:
        """One update; the best levels are published if it changed them."""
        was = self._tops()
        self._update_id += 1
        self._touched[side][price] = quantity
        if quantity:
            self._levels[side][price] = quantity
        else:
            del self._levels[side][price]
        if (tops := self._tops()) != was and None not in tops:
            (bid, bid_quantity), (ask, ask_quantity) = (top or (0, 0) for top in tops)
            told = {
                "u": self._update_id,
                "s": self._symbol,
                "b": price_text(bid),
                "B": quantity_text(bid_quantity),
                "a": price_text(ask),
                "A": quantity_text(ask_quantity),
            }
            self._publish("bookTicker", told)

    def _diff(self, first: int) -> None:
        bids, asks = ([_pair(item) for item in self._touched[side].items()] for side in _SIDES)
        if first > self._update_id:
            return
        told = {
            "e": "depthUpdate",
            "E": self._now_ms,
            "s": self._symbol,
            "U": first,
            "u": self._update_id,
            "b": bids,
            "a": asks,
        }
        self._publish("depth@100ms", told, SimDiff(self._update_id, bids, asks))

    def _publish(self, kind: str, told: object, diff: SimDiff | None = None) -> None:
        at_s = self._steps * STEP_S
        data = msgspec.json.encode(told)
        self._out.append(Published(at_s, f"{self._name}@{kind}", data, diff))

    def _best(self, side: _Side) -> int | None:
        levels = self._levels[side]
        if not levels:
            return None
        return max(levels) if side == "bids" else min(levels)

    def _tops(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        bid, ask = self._best("bids"), self._best("asks")
        return (
            None if bid is None else (bid, self._levels["bids"][bid]),
            None if ask is None else (ask, self._levels["asks"][ask]),
        )

    @property
    def _now_ms(self) -> int:
        return self._start_ms + round(self._steps * STEP_S * 1000)


_SIDES: Final[tuple[_Side, _Side]] = ("bids", "asks")


def _pair(level: tuple[int, int]) -> Pair:
    return price_text(level[0]), quantity_text(level[1])


def price_text(ticks: int) -> str:
    """Hundredths as Binance writes prices."""
    return f"{ticks // 100}.{ticks % 100:02d}000000"


def quantity_text(units: int) -> str:
    """So many 10**-5 as Binance writes quantities."""
    return f"{units // QUANTITY_UNITS}.{units % QUANTITY_UNITS:05d}000"
