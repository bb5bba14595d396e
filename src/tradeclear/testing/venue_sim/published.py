"""What a simulated venue publishes, and where it comes from."""

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from tradeclear.testing.venue_sim.sim_book import Pair, SimBook


class SimDiff(Struct, frozen=True):
    """What a depth message does to the book."""

    last: int
    bids: list[Pair]
    asks: list[Pair]


class Published(Struct, frozen=True):
    """A message of `stream` (btcusdt@trade), `at_s` seconds after the beginning.

    `pause`: instead of a message, a place to wait until somebody has asked for the book.
    """

    at_s: float
    stream: str = ""
    data: bytes = b""
    diff: SimDiff | None = None
    pause: bool = False


class SimSource(Protocol):
    """A market: the book it begins with, and all that happens."""

    @property
    def symbol(self) -> str:
        """As the venue calls it: BTCUSDT."""

    def book(self) -> SimBook:
        """A new book, as it is at the beginning."""

    def messages(self) -> Iterator[Published]:
        """What is published, in order, from the beginning."""
