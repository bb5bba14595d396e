"""A record with its fields named and its numbers as decimals: what `wal cat --json` writes.

`{"seq", "time", "command": {"type", …}, "events": [{"type", …}, …]}`. Fields have the names that
they have in `model`, but for the kind of an order, which is `order_type` in a command, because
`type` says which command it is. Numbers are exact. Where no instrument is known, they are counts,
and the names say so: `price_ticks`, `quantity_lots`, `notional_tick_lots`.

Nothing here lists commands or events: fields are told by their names, so that those that come into
the log later are shown too.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct, defstruct
from msgspec.structs import astuple

from tradeclear.cli.grids import NOTIONAL, PRICE, QUANTITY, UNKNOWN, Grid, Grids
from tradeclear.gateway.views import time_text
from tradeclear.model import reasons
from tradeclear.model.commands import AmendOrder, Idempotency
from tradeclear.model.events import Record
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import OrderState

_Rewrite = Callable[[Any, Grid, Grids], Any]
"""Of a field's value, by the record's own grid and those of all instruments."""

_encode = msgspec.json.Encoder().encode


class RecordView(Struct, frozen=True, gc=False):
    """A record as it is shown."""

    seq: int
    time: str
    command: Struct
    events: list[Struct]


def record_line(record: Record, grids: Grids) -> bytes:
    """The record as a line of JSON, newline included."""
    return _encode(record_view(record, grids)) + b"\n"


def record_view(record: Record, grids: Grids) -> RecordView:
    """The record as a value that JSON can be made of. `grids` are those in force before it."""
    grid = grids.of(instrument_of(record))
    return RecordView(
        record.seq,
        time_text(record.time),
        view_of(record.command, grid, grids),
        [view_of(event, grid, grids) for event in record.events],
    )


def view_of(value: Struct, grid: Grid, grids: Grids) -> Struct:
    """A command, event or order by field names; `grid` counts where it names no instrument."""
    numbers, others, place, decimal_view, count_view = _plans[type(value)]
    fields = list(astuple(value))
    if place is not None:
        grid = grids.of(fields[place])
    digits = grid.digits
    for index, counted in numbers:
        fields[index] = digits[counted](fields[index])
    for index, rewrite in others:
        if fields[index] is not None:
            fields[index] = rewrite(fields[index], grid, grids)
    return (count_view if grid is UNKNOWN else decimal_view)(*fields)


def instrument_of(record: Record) -> str | None:
    """The instrument that the command is about: by its own word, else by an order it met."""
    named: str | None = getattr(record.command, "instrument", None)
    if named is not None:
        return named
    for event in record.events:
        order = getattr(event, "order", None)
        if order is not None:
            return str(order.instrument)
    return None


def reason_name(reason: int) -> str | None:
    """The name of a reason, None for none."""
    return reasons.NAMES.get(reason, f"reason_{reason}") if reason else None


def instrument_fields(instrument: Instrument) -> dict[str, Any]:
    """An instrument's terms in decimals."""
    price, quantity, notional = Grids((instrument,)).of(instrument.name).digits
    return {
        "name": instrument.name,
        "tick_size": price(1),
        "lot_size": quantity(1),
        "price_max": price(instrument.price_ticks_max),
        "quantity_min": quantity(instrument.quantity_lots_min),
        "quantity_max": quantity(instrument.quantity_lots_max),
        "notional_min": notional(instrument.notional_min),
        "notional_max": notional(instrument.notional_max),
        "trading": instrument.trading,
    }


class _Plan(NamedTuple):
    """How a type is shown.

    `numbers`: index and what is counted; `others`: index and what is made of a field that is
    there; `place`: index of the instrument that it names itself.
    """

    numbers: tuple[tuple[int, int], ...]
    others: tuple[tuple[int, _Rewrite], ...]
    place: int | None
    decimal_view: Callable[..., Struct]
    count_view: Callable[..., Struct]


class _Plans(dict[type[Struct], _Plan]):
    """Made when a type is met first."""

    def __missing__(self, kind: type[Struct]) -> _Plan:
        self[kind] = plan = _plan(kind)
        return plan


_plans: Final = _Plans()


def _plan(kind: type[Struct]) -> _Plan:
    names = kind.__struct_fields__
    numbers = {
        index: counted
        for index, name in enumerate(names)
        if (counted := _counted(name)) is not None
    }
    return _Plan(
        numbers=tuple(numbers.items()),
        others=tuple(
            (index, rewrite)
            for index, name in enumerate(names)
            if (rewrite := _own_rewrites.get((kind, name), _rewrites.get(name))) is not None
        ),
        place=names.index("instrument") if "instrument" in names else None,
        decimal_view=_view(kind, names),
        count_view=_view(
            kind,
            [
                name + UNKNOWN.units[numbers[index]] if index in numbers else name
                for index, name in enumerate(names)
            ],
        ),
    )


def _view(kind: type[Struct], names: Sequence[str]) -> type[Struct]:
    """A struct that JSON shows as an object. What is tagged, commands and events, says its type."""
    if kind.__struct_config__.tag is None:
        return defstruct(kind.__name__, names, gc=False)
    renamed = ["order_type" if name == "type" else name for name in names]
    return defstruct(kind.__name__, renamed, tag_field="type", tag=kind.__name__, gc=False)


def _counted(name: str) -> int | None:
    if name == "price":
        return PRICE
    if name.endswith("quantity"):
        return QUANTITY
    return NOTIONAL if name == "notional" else None


def _order(order: OrderState, _grid: Grid, grids: Grids) -> Struct:
    return view_of(order, UNKNOWN, grids)


def _idempotency(used: Idempotency, _grid: Grid, _grids: Grids) -> dict[str, str]:
    return {"key": used.key.hex(), "request": used.request.hex()}


def _new_quantity(digits: Raw | int, _grid: Grid, _grids: Grids) -> Raw | int | None:
    """An amendment to 0 leaves the quantity as it is."""
    return None if digits in (0, _ZERO) else digits


def _levels(levels: Sequence[tuple[int, int]], grid: Grid, _grids: Grids) -> list[Any]:
    """A quote's levels, each as [price, quantity]."""
    price, quantity, _notional = grid.digits
    return [[price(ticks), quantity(lots)] for ticks, lots in levels]


_ZERO: Final = Raw(b"0")

_rewrites: Final[dict[str, _Rewrite]] = {
    "order": _order,
    "reason": lambda reason, _grid, _grids: reason_name(reason),
    "created_at": lambda time, _grid, _grids: time_text(time),
    "updated_at": lambda time, _grid, _grids: time_text(time),
    "idempotency": _idempotency,
    "bids": _levels,
    "asks": _levels,
    "instruments": lambda known, _grid, _grids: [instrument_fields(each) for each in known],
}

_own_rewrites: Final[dict[tuple[type[Struct], str], _Rewrite]] = {
    (AmendOrder, "quantity"): _new_quantity,
}
