"""`tradeclear wal cat`: records, one a line, for people or for programs; with `--follow`, live."""

import select
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Annotated, Final

import typer
from msgspec import Struct

from tradeclear.cli.grids import Grids, grids_before
from tradeclear.cli.log_records import seq_of_time
from tradeclear.cli.moments import OPEN, Moment, parse_moment
from tradeclear.cli.record_filter import RecordFilter
from tradeclear.cli.record_lines import text_line
from tradeclear.cli.rendering import record_line
from tradeclear.cli.wal_directory import DirectoryArgument, opened, say, torn_text
from tradeclear.model.events import Record
from tradeclear.model.units import Seq
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.wal.cursor import Cursor
from tradeclear.wal.names import segment_names, segment_seq
from tradeclear.wal.storage import Storage
from tradeclear.wal.verification import segments

POLL_S: Final = 0.1

Wait = Callable[[float], None]


class Wanted(Struct, frozen=True, kw_only=True):
    """What to show, and how."""

    first: Moment = OPEN
    last: Moment = OPEN
    order_id: str | None = None
    client_id: str | None = None
    as_json: bool = False
    follow: bool = False
    poll_s: float = POLL_S


def cat(
    directory: DirectoryArgument = None,
    first: Annotated[
        Moment | None,
        typer.Option(
            "--from",
            parser=parse_moment,
            metavar="SEQ|TIME",
            help="Begin with this record, at this time (2026-01-31T08:00:00Z), or with the last "
            "20 records (-20).",
        ),
    ] = None,
    last: Annotated[
        Moment | None,
        typer.Option(
            "--to", parser=parse_moment, metavar="SEQ|TIME", help="End with it, both included."
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only what concerns this order, as taker or maker too."),
    ] = None,
    client: Annotated[
        str | None, typer.Option(metavar="ID", help="Only what concerns this client's orders.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written, until Ctrl-C.")
    ] = False,
    poll_s: Annotated[
        float, typer.Option(min=0.001, max=3600, help="How often to look for more, in seconds.")
    ] = POLL_S,
) -> None:
    """Show records: what was asked, and everything that came of it.

    Prices and quantities are decimals, by the instruments in force at that record; where these
    can't be known any more, they are counts of ticks and lots, and say so. With --follow, a
    record may show a moment before it is durable.

    Example: tradeclear wal cat wal --from 2026-01-31T08:00:00Z --order order-1
    """
    wanted = Wanted(
        first=first or OPEN,
        last=last or OPEN,
        order_id=order,
        client_id=client,
        as_json=json,
        follow=follow,
        poll_s=poll_s,
    )
    with opened(directory, empty_allowed=follow) as storage:
        show(storage, wanted, wait=wait_for_more)


def show(storage: Storage, wanted: Wanted, *, wait: Wait) -> None:
    """Write what is wanted to standard output; `wait` passes the time until the next look.

    Ctrl-C ends the following, and nothing else does but an error or `wanted.last`.
    """
    first = _resolved(storage, wanted.first)
    last = _resolved(storage, wanted.last)
    begin = _beginning(storage, first)
    grids = grids_before(storage, begin)
    chosen = RecordFilter(
        grids, first=first, last=last, order_id=wanted.order_id, client_id=wanted.client_id
    )
    make_line = record_line if wanted.as_json else _text

    def line(record: Record) -> bytes:
        return make_line(record, grids)

    with closing(Cursor(storage, begin)) as cursor:
        if wanted.follow:
            with suppress(KeyboardInterrupt):
                _pour(cursor, chosen, line, at_once=True)
                while not chosen.over:
                    wait(wanted.poll_s)
                    _pour(cursor, chosen, line, at_once=True)
            return
        _pour(cursor, chosen, line, at_once=sys.stdout.isatty())
        if cursor.torn is not None and storage.holder() is None:
            say(torn_text(storage, cursor.torn))
            raise typer.Exit(ExitCode.ERROR)


def wait_for_more(seconds: float) -> None:
    """Pass the time; `BrokenPipeError` as soon as nobody reads our output any more."""
    try:
        output = sys.stdout.fileno()
    except OSError:
        time.sleep(seconds)
        return
    poll = select.poll()
    poll.register(output, 0)
    if poll.poll(seconds * 1000):
        raise BrokenPipeError


def _pour(
    cursor: Cursor, chosen: RecordFilter, line: Callable[[Record], bytes], *, at_once: bool
) -> None:
    """Write the lines of the frames that are there; each frame's at once, or as a buffer fills."""
    output = sys.stdout.buffer
    for frame in cursor.frames():
        lines = [line(record) for record in chosen.records(frame)]
        if lines:
            output.write(b"".join(lines))
            if at_once:
                output.flush()
        if chosen.over:
            return


def _text(record: Record, grids: Grids) -> bytes:
    return text_line(record, grids).encode(errors="replace") + b"\n"


def _resolved(storage: Storage, moment: Moment) -> Moment:
    """A place that was counted from the end, from the beginning."""
    if moment.seq is None or moment.seq >= 0:
        return moment
    ends = segments(storage)
    end = ends[-1].last_seq + 1 if ends else 1
    return Moment(seq=max(end + moment.seq, ends[0].first_seq if ends else 1))


def _beginning(storage: Storage, first: Moment) -> Seq:
    """The record to begin reading at: with no word about it, the oldest that there is."""
    if first.seq is not None:
        return max(first.seq, 1)
    if first.time is not None:
        return seq_of_time(storage, first.time)
    names = segment_names(storage.names())
    return segment_seq(names[0]) if names else 1
