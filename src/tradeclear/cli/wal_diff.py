"""`tradeclear wal replay --diff`: two directories to the same record; where do they part?"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct

from tradeclear.cli.grids import grids_before
from tradeclear.cli.moments import Moment
from tradeclear.cli.record_lines import text_line
from tradeclear.cli.rendering import RecordView, record_view
from tradeclear.cli.replica import Replica, make_replica
from tradeclear.cli.state_diff import Fields, differing_levels, differing_orders, differing_sections
from tradeclear.cli.tables import cell, show_facts, show_json, show_line, show_table
from tradeclear.cli.wal_directory import explained
from tradeclear.core.state import state_hash
from tradeclear.model.events import Record
from tradeclear.model.units import Seq
from tradeclear.wal.codec import decode_record
from tradeclear.wal.cursor import Cursor
from tradeclear.wal.errors import LogDamaged
from tradeclear.wal.storage import Storage
from tradeclear.wal.survey import Survey, survey

SHOWN_MAX: Final = 20
"""So many differences of a kind are shown; all are counted."""


class Side(Struct, frozen=True, kw_only=True):
    """One of two directories."""

    directory: str
    first_seq: Seq
    last_seq: Seq
    state_hash: str


class Parting(Struct, frozen=True, kw_only=True):
    """The first record that isn't the same in both, and which of its parts."""

    seq: Seq
    differ: list[str]
    a: RecordView
    b: RecordView


class Rows(Struct, frozen=True, kw_only=True):
    """Differences of one kind: how many, and the first `SHOWN_MAX`."""

    count: int
    shown: list[Fields]


class Comparison(Struct, frozen=True, kw_only=True):
    """Two directories at record `seq`. `sections` are the parts of the state that differ."""

    same: bool
    seq: Seq
    a: Side
    b: Side
    first_difference: Parting | None
    sections: list[str]
    levels: Rows
    orders: Rows


def compare(
    storage: Storage, other: Storage, until: Moment, *, from_start: bool, as_json: bool
) -> bool:
    """Show how two logs, and their states at the same record, differ; tell whether they don't.

    The record is `until`, as the first log has it, or the last one that both have.
    """
    ours, theirs = (_survey(each, until) for each in (storage, other))
    if not until.named:
        until = Moment(seq=min(ours.last_seq, theirs.last_seq))
    with explained(Path(storage.directory)):
        a = make_replica(storage, until, from_start=from_start)
    with explained(Path(other.directory)):
        b = make_replica(other, Moment(seq=a.seq), from_start=from_start)
    pair = first_difference(storage, other, max(ours.first_seq, theirs.first_seq), a.seq)
    sections = differing_sections(a.engine, b.engine)
    found = Comparison(
        same=pair is None and not sections,
        seq=a.seq,
        a=_side(storage, ours, a),
        b=_side(other, theirs, b),
        first_difference=None if pair is None else _parting(storage, other, pair),
        sections=sections,
        levels=_rows(differing_levels(a.engine, b.engine)),
        orders=_rows(differing_orders(a.engine, b.engine)),
    )
    if as_json:
        show_json(found)
    else:
        _show(found)
        if pair is not None:
            _show_records(storage, other, pair)
    return found.same


def first_difference(
    storage: Storage, other: Storage, first_seq: Seq, last_seq: Seq
) -> tuple[Record, Record] | None:
    """The first record from `first_seq` to `last_seq` of which the two logs have other bytes."""
    ours = _records(storage, first_seq)
    theirs = _records(other, first_seq)
    for _ in range(first_seq, last_seq + 1):
        pair = (next(ours), next(theirs))
        if pair[0] != pair[1]:
            return decode_record(pair[0]), decode_record(pair[1])
    return None


def _records(storage: Storage, first_seq: Seq) -> Iterator[bytes]:
    """The records from `first_seq` on, as bytes; what is wrong with them is told of this log."""
    with explained(Path(storage.directory)), closing(Cursor(storage, first_seq)) as cursor:
        for frame in cursor.frames():
            yield from frame.records()[max(0, first_seq - frame.first_seq) :]


def _survey(storage: Storage, until: Moment) -> Survey:
    """What the log says of its ends, which must be right where they decide how far to compare."""
    with explained(Path(storage.directory)):
        found = survey(storage)
        if found.damage is not None and not until.named:
            raise LogDamaged(found.damage)
    return found


def _side(storage: Storage, found: Survey, replica: Replica) -> Side:
    return Side(
        directory=storage.directory,
        first_seq=found.first_seq,
        last_seq=found.last_seq,
        state_hash=state_hash(replica.engine),
    )


def _parting(storage: Storage, other: Storage, pair: tuple[Record, Record]) -> Parting:
    a, b = pair
    return Parting(
        seq=a.seq,
        differ=[n for n in Record.__struct_fields__ if getattr(a, n) != getattr(b, n)],
        a=record_view(a, grids_before(storage, a.seq)),
        b=record_view(b, grids_before(other, b.seq)),
    )


def _rows(differences: Iterable[Fields]) -> Rows:
    rows = iter(differences)
    shown = list(islice(rows, SHOWN_MAX))
    return Rows(count=len(shown) + sum(1 for _ in rows), shown=shown)


def _show(found: Comparison) -> None:
    show_facts(
        [
            ("same", found.same),
            ("seq", found.seq),
            ("directory_a", found.a.directory),
            ("directory_b", found.b.directory),
            ("records_a", f"{found.a.first_seq}-{found.a.last_seq}"),
            ("records_b", f"{found.b.first_seq}-{found.b.last_seq}"),
            ("state_hash_a", found.a.state_hash),
            ("state_hash_b", found.b.state_hash),
            ("sections_that_differ", ",".join(found.sections)),
            ("levels_that_differ", found.levels.count),
            ("orders_that_differ", found.orders.count),
        ]
    )
    for rows in (found.levels, found.orders):
        if rows.shown:
            show_line()
            show_table(list(rows.shown[0]), (map(cell, row.values()) for row in rows.shown))
        if rows.count > len(rows.shown):
            show_line(f"… and {rows.count - len(rows.shown)} more")


def _show_records(storage: Storage, other: Storage, pair: tuple[Record, Record]) -> None:
    show_line()
    show_line("the first record that differs:")
    for name, where, record in zip("ab", (storage, other), pair, strict=True):
        show_line(f"{name} {text_line(record, grids_before(where, record.seq))}")
