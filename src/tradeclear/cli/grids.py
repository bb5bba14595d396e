"""How ticks and lots are written at a place in the log: by the instruments in force there.

Instruments come into force with `Configure` records, so a reader that goes through the log knows
them. One that begins in the middle learns them from, in this order:

1. the oldest snapshot at or after its beginning, if every grid that it knows is older than that;
2. the newest snapshot before its beginning, or that of the log, and the `Configure` records since;
3. what 1. knows for certain; the rest is shown in ticks and lots.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Raw

from tradeclear.cli.log_records import records_of
from tradeclear.cli.snapshot_heads import head_after, head_before
from tradeclear.model.commands import Configure
from tradeclear.model.events import Configured, Record
from tradeclear.model.instrument import Instrument
from tradeclear.model.units import Seq
from tradeclear.wal.codec import RecordUnreadable
from tradeclear.wal.cursor import Cursor
from tradeclear.wal.errors import LogDamaged, RecordPruned
from tradeclear.wal.frame import Frame
from tradeclear.wal.storage import Storage

NUMBERS_CACHED: Final = 65_536

CONFIGURE_MARK: Final = b"idempotency_keys_max"
"""Stands in every `Configure` record (a field of its limits), so that the rest can be passed by."""

PRICE, QUANTITY, NOTIONAL = range(3)
"""What a number counts: ticks, lots, or the product of the two."""

Digits = Callable[[int], Raw | int | None]


class Grid(NamedTuple):
    """Writes one instrument's integers: as decimals, or, where it is unknown, as they are.

    `digits` and `units` are indexed by what is counted. A unit is put behind a field's name, so
    that a count of ticks is never taken for a price. A price of 0 is none.
    """

    digits: tuple[Digits, Digits, Digits]
    units: tuple[str, str, str] = ("", "", "")

    def price_text(self, ticks: int) -> str:
        """A price for people."""
        return self._text(PRICE, ticks)

    def quantity_text(self, lots: int) -> str:
        """A quantity for people."""
        return self._text(QUANTITY, lots)

    def _text(self, counted: int, value: int) -> str:
        digits = self.digits[counted](value)
        return (
            bytes(digits).decode() if isinstance(digits, Raw) else f"{digits}{self.units[counted]}"
        )


UNKNOWN: Final = Grid((lambda ticks: ticks or None, int, int), ("_ticks", "_lots", "_tick_lots"))


class Grids:
    """The grids in force, by instrument."""

    def __init__(self, instruments: Iterable[Instrument] = ()) -> None:
        self.instruments: Final[dict[str, Instrument]] = {}
        self._grids: Final[dict[str | None, Grid]] = {}
        self._set(instruments)

    def of(self, instrument: str | None) -> Grid:
        """The grid of an instrument; `UNKNOWN` where that isn't known."""
        return self._grids.get(instrument, UNKNOWN)

    def note(self, record: Record) -> None:
        """Take notice of a record: what comes after a `Configure` counts in its grids."""
        command = record.command
        if isinstance(command, Configure) and any(
            isinstance(event, Configured) for event in record.events
        ):
            self._set(command.instruments)

    def note_frame(self, frame: Frame, before: Seq) -> None:
        """Take notice of the records of a frame up to and without `before`."""
        if CONFIGURE_MARK in frame.payload:
            for record in records_of(frame):
                if record.seq < before:
                    self.note(record)

    def _set(self, instruments: Iterable[Instrument]) -> None:
        for instrument in instruments:
            known = self.instruments.get(instrument.name)
            if known is None or not known.same_grid(instrument):
                self._grids[instrument.name] = _grid(instrument)
            self.instruments[instrument.name] = instrument


def grids_before(storage: Storage, seq: Seq) -> Grids:
    """The grids in force when record `seq` came. Never fails: what can't be had is unknown."""
    later = head_after(storage, seq - 1)
    since = {} if later is None else dict(later.grid_since)
    certain = [] if later is None else [i for i in later.instruments if since[i.name] < seq]
    if later is not None and len(certain) == len(later.instruments):
        return Grids(certain)
    return _grids_by_scan(storage, seq) or Grids(certain)


def _grids_by_scan(storage: Storage, seq: Seq) -> Grids | None:
    """From a snapshot or the beginning on through every `Configure`; None if the log won't do."""
    earlier = head_before(storage, seq)
    grids = Grids() if earlier is None else Grids(earlier.instruments)
    first_seq = 1 if earlier is None else earlier.seq + 1
    try:
        with closing(Cursor(storage, first_seq)) as cursor:
            for frame in cursor.frames():
                grids.note_frame(frame, seq)
                if frame.last_seq >= seq - 1:
                    break
    except (RecordPruned, LogDamaged, RecordUnreadable, OSError):
        return None
    return grids


def _grid(instrument: Instrument) -> Grid:
    price = _cached(instrument.price_text)
    return Grid(
        (
            lambda ticks: price(ticks) if ticks else None,
            _cached(instrument.quantity_text),
            _cached(instrument.notional_text),
        )
    )


def _cached(text: Callable[[int], str]) -> Digits:
    """The same numbers come again and again; a JSON number is their exact digits."""
    return lru_cache(NUMBERS_CACHED)(lambda value: Raw(text(value).encode()))
