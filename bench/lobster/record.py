"""The record: the rows of the hour, as LOBSTER wrote them down."""

import gzip
from collections.abc import Generator
from pathlib import Path
from typing import Final, Literal, NamedTuple

ROWS: Final = 91_997

Side = Literal["buy", "sell"]


class Message(NamedTuple):
    """A row of the record. `kind`: 1 new, 2 reduced, 3 deleted, 4 executed, 5 hidden execution."""

    time: str
    kind: int
    order_id: str
    size: int
    price: int
    side: Side


class Best(NamedTuple):
    """Best ask and bid, prices in cents."""

    ask_price: int
    ask_size: int
    bid_price: int
    bid_size: int


class Hour(NamedTuple):
    """The record: every message, the best prices after each, and the book after the first."""

    messages: list[Message]
    best: list[Best]
    opening: list[tuple[Side, int, int]]


def read_hour(folder: Path) -> Hour:
    """Read the recording from `folder` or its sub-folder lobster/. Prices become cents."""
    if (folder / "lobster").is_dir():
        folder = folder / "lobster"
    messages = [
        Message(at, int(kind), order_id, int(size), cents(price), side_of(direction))
        for at, kind, order_id, size, price, direction in _rows(folder, "*_message_50.csv.gz")
    ]
    best = [
        Best(cents(ask), int(ask_size), cents(bid), int(bid_size))
        for ask, ask_size, bid, bid_size in _rows(folder, "*_BBOonly.csv.gz")
    ]
    levels = next(_rows(folder, "*_full200cols.csv.gz"))
    opening: list[tuple[Side, int, int]] = []
    for ask, ask_size, bid, bid_size in zip(*(levels[i::4] for i in range(4)), strict=True):
        opening += [("sell", cents(ask), int(ask_size)), ("buy", cents(bid), int(bid_size))]
    return Hour(messages, best, opening)


def _rows(folder: Path, pattern: str) -> Generator[list[str]]:
    paths = sorted(folder.glob(pattern))
    if len(paths) != 1:
        raise SystemExit(f"{folder}: expected one file {pattern}, found {len(paths)}")
    with gzip.open(paths[0], "rt", encoding="ascii") as lines:
        for line in lines:
            yield line.rstrip("\n").split(",")


def cents(price: str) -> int:
    """The record's price x 10,000 as cents. Only hidden executions, ignored, lie between them."""
    return int(price) // 100


def side_of(direction: str) -> Side:
    return "buy" if direction == "1" else "sell"


def opposite(side: Side) -> Side:
    return "sell" if side == "buy" else "buy"
