"""A book as copies of it are taken: levels in exact decimal texts, ours and a venue's alike."""

from typing import NamedTuple

from msgspec import Struct

from tradeclear.model.errors import TradeclearError
from tradeclear.model.units import Seq


class CopyUnavailable(TradeclearError):
    """The copy of a book is too old, or out of reach. Ask again later; the text says which."""


class BookLevel(NamedTuple):
    """A price level. `orders` is None where the source does not count them."""

    price: str
    quantity: str
    orders: int | None = None


class BookImage(Struct, frozen=True, kw_only=True):
    """The best levels of both sides, best first, at one moment.

    `sequence` is None where the source has none. `age_s`: for how long the source has known nothing
    newer although there may be something newer; 0 for our own books.
    """

    bids: list[BookLevel]
    asks: list[BookLevel]
    sequence: Seq | None = None
    age_s: float = 0.0
