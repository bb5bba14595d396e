"""A price level of a book."""

from decimal import Decimal

from msgspec import Struct


class Level(Struct, frozen=True, array_like=True):
    """The total of all orders at a price. Quantity 0: the level is gone."""

    price: Decimal
    quantity: Decimal
    orders: int
