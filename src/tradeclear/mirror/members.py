"""Levels as members of sorted sets, and as the JSON that is published."""

from collections.abc import Iterable

from tradeclear.pipeline.book_image import BookImage, BookLevel


def member(level: BookLevel) -> str:
    """`price:quantity:orders`, or `price:quantity` where orders are not counted."""
    price, quantity, orders = level
    return f"{price}:{quantity}" if orders is None else f"{price}:{quantity}:{orders}"


def level(text: str) -> BookLevel:
    """The level of a member. Raises `ValueError`."""
    price, quantity, *orders = text.split(":")
    if len(orders) > 1:
        raise ValueError(f"{text!r} is no level")
    return BookLevel(price, quantity, int(orders[0]) if orders else None)


def scored(levels: Iterable[BookLevel], *, bids: bool) -> list[str]:
    """Score and member of each level, as ZADD takes them. Bids are scored by minus the price."""
    sign = "-" if bids else ""
    return [text for one in levels for text in (f"{sign}{one.price}", member(one))]


def depth_json(image: BookImage, levels: int) -> str:
    """`{"bids":[[price,quantity]],"asks":[[price,quantity]]}`, the best `levels` of each side."""
    return f'{{"bids":{_side(image.bids[:levels])},"asks":{_side(image.asks[:levels])}}}'


def _side(levels: list[BookLevel]) -> str:
    return f"[{','.join(f'[{one.price},{one.quantity}]' for one in levels)}]"
