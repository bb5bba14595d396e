"""Two engines' states, compared: which sections, which levels of their books, which orders."""

from collections import defaultdict
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from tradeclear.cli.grids import PRICE, QUANTITY, Grid, Grids
from tradeclear.core.engine import Engine
from tradeclear.core.ladder import Ladder, Level
from tradeclear.core.lifecycle import Order
from tradeclear.core.state import dump
from tradeclear.model.order import OrderState, Side

Fields = dict[str, Any]
"""A row: names and values."""

_section_of = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw]).decode


def differing_sections(a: Engine, b: Engine) -> list[str]:
    """Names of the parts of the state that differ; see `core/state.py`."""
    ours, theirs = _digests(a), _digests(b)
    return [name for name in ours | theirs if ours.get(name) != theirs.get(name)]


def differing_levels(a: Engine, b: Engine) -> Iterator[Fields]:
    """Every price level that isn't the same in both: quantity and orders, None where it is not."""
    for instrument in sorted(a.books.keys() | b.books.keys()):
        grids = [Grids(engine.instruments.values()).of(instrument) for engine in (a, b)]
        sides: tuple[Side, Side] = ("buy", "sell")
        for side in sides:
            ours, theirs = _levels(a, instrument, side), _levels(b, instrument, side)
            for price in sorted(ours.keys() | theirs.keys(), reverse=side == "buy"):
                pair = (ours.get(price), theirs.get(price))
                if pair[0] != pair[1]:
                    yield {
                        "instrument": instrument,
                        "side": side,
                        "price": grids[0 if price in ours else 1].digits[PRICE](price),
                        **_level_fields("a", pair[0], grids[0]),
                        **_level_fields("b", pair[1], grids[1]),
                    }


def differing_orders(a: Engine, b: Engine) -> Iterator[Fields]:
    """Every remembered order that isn't the same in both, and the names of what differs."""
    grids = [Grids(engine.instruments.values()) for engine in (a, b)]
    for order_id in (*a.orders.by_id, *(b.orders.by_id.keys() - a.orders.by_id.keys())):
        ours, theirs = (_state(engine.orders.by_id.get(order_id)) for engine in (a, b))
        if ours != theirs:
            yield {
                "order_id": order_id,
                **_order_fields("a", ours, grids[0]),
                **_order_fields("b", theirs, grids[1]),
                "differ": _differ(ours, theirs),
            }


def _digests(engine: Engine) -> dict[str, str]:
    found: dict[str, Any] = defaultdict(blake2b)
    for chunk in dump(engine):
        found[_section_of(chunk)[0]].update(chunk)
    return {name: digest.hexdigest() for name, digest in found.items()}


def _levels(engine: Engine, instrument: str, side: Side) -> dict[int, tuple[int, int]]:
    """Quantity and number of orders, by price."""
    book = engine.books.get(instrument)
    ladder = Ladder(side) if book is None else book.side(side)
    return {level.price: _sums(level) for level in ladder.best_first()}


def _sums(level: Level) -> tuple[int, int]:
    return level.quantity, len(level.queue)


def _level_fields(which: str, sums: tuple[int, int] | None, grid: Grid) -> Fields:
    return {
        f"quantity_{which}": None if sums is None else grid.digits[QUANTITY](sums[0]),
        f"orders_{which}": None if sums is None else sums[1],
    }


def _state(order: Order | None) -> OrderState | None:
    return None if order is None else order.state()


def _order_fields(which: str, order: OrderState | None, grids: Grids) -> Fields:
    names = (f"status_{which}", f"price_{which}", f"remaining_{which}")
    if order is None:
        return dict.fromkeys(names)
    digits = grids.of(order.instrument).digits
    values = (order.status, digits[PRICE](order.price), digits[QUANTITY](order.remaining_quantity))
    return dict(zip(names, values, strict=True))


def _differ(ours: OrderState | None, theirs: OrderState | None) -> str:
    if ours is None or theirs is None:
        return "only_in_a" if theirs is None else "only_in_b"
    names = OrderState.__struct_fields__
    return ",".join(name for name in names if getattr(ours, name) != getattr(theirs, name))
