"""What an engine's books look like: best quotes of every instrument, the depth of one."""

from itertools import zip_longest

from msgspec import Raw, Struct

from tradeclear.cli.grids import NOTIONAL, PRICE, QUANTITY, Grid, Grids
from tradeclear.cli.tables import Cell, cell, show_table
from tradeclear.core.depth import DepthLevel, depth
from tradeclear.core.engine import Engine


class LevelView(Struct, frozen=True):
    """A price level. The cumulative numbers are sums over it and all better ones."""

    price: Raw | int | None
    quantity: Raw | int | None
    orders: int
    cumulative_quantity: Raw | int | None
    cumulative_notional: Raw | int | None


class BookView(Struct, frozen=True):
    """The best levels of a book, best first."""

    instrument: str
    sequence: int
    bids: list[LevelView]
    asks: list[LevelView]


class Quote(Struct, frozen=True):
    """The best levels of an instrument, None where a side is empty, and how many there are."""

    instrument: str
    best_bid: LevelView | None
    best_ask: LevelView | None
    bid_levels: int
    ask_levels: int


def book_view(engine: Engine, name: str, levels: int) -> BookView:
    """The best `levels` levels of each side of a book."""
    grid = Grids(engine.instruments.values()).of(name)
    found = depth(engine.books[name], levels)
    return BookView(
        instrument=name,
        sequence=engine.seq,
        bids=[_level(level, grid) for level in found.bids],
        asks=[_level(level, grid) for level in found.asks],
    )


def quotes(engine: Engine) -> list[Quote]:
    """The best bid and ask of every instrument."""
    found = []
    for name, book in engine.books.items():
        best = book_view(engine, name, 1)
        bid, ask = (side[0] if side else None for side in (best.bids, best.asks))
        found.append(Quote(name, bid, ask, len(book.bids), len(book.asks)))
    return found


def show_quotes(engine: Engine) -> None:
    """Write a row an instrument."""
    rows = (
        [quote.instrument, *_cells(quote.best_bid)[::-1], *_cells(quote.best_ask)]
        for quote in quotes(engine)
    )
    show_table(["instrument", *_COLUMNS], rows)


def show_book(engine: Engine, name: str, levels: int) -> None:
    """Write a row a level, bids on the left."""
    book = book_view(engine, name, levels)
    pairs = zip_longest(book.bids, book.asks)
    show_table(_COLUMNS, ([*_cells(bid)[::-1], *_cells(ask)] for bid, ask in pairs))


_COLUMNS = ["bid_orders", "bid_quantity", "bid", "ask", "ask_quantity", "ask_orders"]


def _level(level: DepthLevel, grid: Grid) -> LevelView:
    digits = grid.digits
    return LevelView(
        price=digits[PRICE](level.price),
        quantity=digits[QUANTITY](level.quantity),
        orders=level.orders,
        cumulative_quantity=digits[QUANTITY](level.cumulative_quantity),
        cumulative_notional=digits[NOTIONAL](level.cumulative_notional),
    )


def _cells(level: LevelView | None) -> list[Cell]:
    if level is None:
        return [None, None, None]
    return [cell(level.price), cell(level.quantity), level.orders]
