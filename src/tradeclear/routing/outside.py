"""The book of an outside venue, as the rest of the exchange sees it.

Prices and quantities of outside venues are integers too: so many 10**-8, which is as fine as
Binance writes them.
"""

from collections.abc import Iterator
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct

SCALE: Final = 8

Level: TypeAlias = tuple[int, int]
"""A price and the quantity there, both in 10**-8."""

Source: TypeAlias = Literal["stream", "poll"]


class Levels(Protocol):
    """One side of a book."""

    def best_first(self) -> Iterator[Level]:
        """Its levels. The iterator is good until the next checkpoint."""

    def __len__(self) -> int:
        """How many there are."""


class Reading(Struct, frozen=True):
    """A book, where it came from, and how old it is. Good until the next checkpoint."""

    source: Source
    update_id: int
    age_s: float
    stale: bool
    bids: Levels
    asks: Levels


class OutsideMarket(Protocol):
    """A market that others run and that is followed here."""

    @property
    def symbol(self) -> str:
        """As its venue calls it: BTCUSDT."""

    @property
    def version(self) -> int:
        """Changes whenever the book does, and when it goes stale or is fresh again."""

    def reading(self) -> Reading | None:
        """The best book there is now: the streamed one if fresh, else the polled one."""

    async def wait_changed(self, version: int) -> None:
        """Return once `version` is no longer the newest."""
