"""What the replay asks of an exchange, and what it is told."""

from collections.abc import Generator
from typing import NamedTuple, TypeAlias

from lobster.record import Best, Side


class Place(NamedTuple):
    """Enter a limit order."""

    order_id: str
    side: Side
    price: int
    quantity: int


class Cancel(NamedTuple):
    """Cancel an order."""

    order_id: str


class Amend(NamedTuple):
    """Change an order's total quantity."""

    order_id: str
    quantity: int


class Look(NamedTuple):
    """Ask for best ask and bid; `row` of the record was the last one carried out."""

    row: int


class Fill(NamedTuple):
    """What an incoming order traded with one maker."""

    maker_id: str
    price: int
    quantity: int


Request: TypeAlias = Place | Cancel | Amend | Look
Answer: TypeAlias = list[Fill] | Best
Steps: TypeAlias = Generator[Request, Answer]
