"""Orders that trade and rest in equal parts, for as long as one likes; the book stays small.

Drawn in fours: a bid and an ask that rest within `SPREAD_TICKS` of the mid, a buy and a sell that
cross all of that. What is bought equals what is sent to be sold in every block, and the crossing
orders are a little larger than the resting ones, so that nothing piles up: after any number of
orders some dozens are in the book, and every second order has traded on arrival.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MID_TICKS = 7_000_000
SPREAD_TICKS = 50
QUANTITY_LOTS_MAX = 20_000
CROSSING_EXCESS = 1.1
"""The crossing orders' mean quantity over that of the resting ones."""

FOURS_A_BLOCK = 32
"""Orders are shuffled within blocks of so many fours; each block is balanced in itself."""

PATTERNS = 4_096
CLIENTS = 16

Side = Literal["buy", "sell"]


@dataclass(frozen=True, slots=True)
class Order:
    """A limit order in ticks of 0.01 and lots of 0.00001."""

    side: Side
    price_ticks: int
    quantity_lots: int
    client_id: str

    def body(self, instrument: str = "BTC-USD") -> str:
        """The body of POST /orders, without `order_id` and `idempotency_key`."""
        price = f"{self.price_ticks // 100}.{self.price_ticks % 100:02}"
        quantity = f"{self.quantity_lots // 100_000}.{self.quantity_lots % 100_000:05}"
        return (
            f'{{"client_id":"{self.client_id}","instrument":"{instrument}","side":"{self.side}",'
            f'"type":"limit","price":{price},"quantity":{quantity}}}'
        )


def balanced_orders(seed: int = 1, count: int = PATTERNS, clients: int = CLIENTS) -> list[Order]:
    """`count` orders (a multiple of a block) to be sent round and round. One seed, one list."""
    draw = random.Random(seed)
    orders: list[Order] = []
    for _ in range(count // (4 * FOURS_A_BLOCK)):
        block = [order for _ in range(FOURS_A_BLOCK) for order in _four(draw)]
        draw.shuffle(block)
        orders += [
            Order(side, price, quantity, f"load-{draw.randrange(clients):02}")
            for side, price, quantity in block
        ]
    return orders


def _four(draw: random.Random) -> list[tuple[Side, int, int]]:
    away = draw.randint(1, SPREAD_TICKS)
    resting = draw.randint(1, QUANTITY_LOTS_MAX)
    crossing = draw.randint(1, round(QUANTITY_LOTS_MAX * CROSSING_EXCESS))
    return [
        ("buy", MID_TICKS - away, resting),
        ("sell", MID_TICKS + away, resting),
        ("buy", MID_TICKS + SPREAD_TICKS, crossing),
        ("sell", MID_TICKS - SPREAD_TICKS, crossing),
    ]


def resting_orders(count: int, levels: int = 5_000) -> list[Order]:
    """`count` orders that nothing of `balanced_orders` reaches, on `levels` levels a side."""
    orders: list[Order] = []
    for number in range(count):
        away = 10 * SPREAD_TICKS + number * 7919 % levels
        side: Side = "buy" if number % 2 else "sell"
        price = MID_TICKS - away if side == "buy" else MID_TICKS + away
        orders.append(Order(side, price, 1_000, f"deep-{number % 1000:03}"))
    return orders


def bodies_of(path: Path) -> list[str]:
    """Bodies from a file, one a line, as fixtures/gen_orders.py writes them."""
    return path.read_text(encoding="utf-8").splitlines()
