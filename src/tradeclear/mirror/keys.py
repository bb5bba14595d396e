"""The names of everything in Redis."""

from typing import Final

from msgspec import Struct

INDEX_KEY: Final = "tradeclear:books"
"""JSON: the `BookKeys` of every book that is mirrored."""

WRITER_KEY: Final = "tradeclear:mirror"
"""Who writes: a number that each connection of a mirror draws anew."""

CONFIRMED_MS: Final = 24 * 3600 * 1000
"""What a book's `confirmed` key has left to live when it is set: what is missing is its age."""


class BookKeys(Struct, frozen=True, kw_only=True):
    """Where one book is.

    `bids` and `asks` are sorted sets, best first: members are `price:quantity:orders` (without the
    last part where orders are not counted), scores the price, for bids negative. `confirmed` says
    by its time to live how long ago the book was known to look so; Redis itself keeps that time, so
    that no two clocks are compared. `channel` gets the top levels after each update.
    """

    name: str
    bids: str
    asks: str
    sequence: str
    confirmed: str
    channel: str


def own_keys(instrument: str) -> BookKeys:
    """Those of one of our own books."""
    prefix = f"tradeclear:{instrument}"
    return BookKeys(
        name=instrument,
        bids=f"{prefix}:bids",
        asks=f"{prefix}:asks",
        sequence=f"{prefix}:sequence",
        confirmed=f"{prefix}:confirmed",
        channel=f"{prefix}:depth",
    )


def venue_keys(symbol: str) -> BookKeys:
    """Those of the book that is followed on the outside venue: there is one."""
    return BookKeys(
        name=symbol,
        bids="bids",
        asks="asks",
        sequence="depth:sequence",
        confirmed="depth:confirmed",
        channel="depth:update",
    )
