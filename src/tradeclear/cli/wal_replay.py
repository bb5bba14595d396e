"""`tradeclear wal replay`: the state at any record or second, made again from the log."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tradeclear.cli.book_views import book_view, quotes, show_book, show_quotes
from tradeclear.cli.moments import OPEN, Moment, parse_target
from tradeclear.cli.replica import Replica, make_replica
from tradeclear.cli.tables import show_facts, show_json, show_line
from tradeclear.cli.wal_diff import compare
from tradeclear.cli.wal_directory import DirectoryArgument, JsonOption, opened, stop
from tradeclear.core.state import state_hash
from tradeclear.gateway.views import time_text
from tradeclear.supervisor.exit_codes import ExitCode

LEVELS: Final = 10


def replay(
    directory: DirectoryArgument = None,
    until: Annotated[
        Moment | None,
        typer.Option(
            parser=parse_target,
            metavar="SEQ|TIME",
            help="Stop after this record, or at this time (2026-01-31T08:00:00Z).",
        ),
    ] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Use no snapshot: run every record again.")
    ] = False,
    diff: Annotated[
        Path | None,
        typer.Option(
            metavar="OTHER",
            help="Replay this directory too, to the same record, and show where they part.",
        ),
    ] = None,
    book: Annotated[
        str | None, typer.Option(metavar="INSTRUMENT", help="Show this instrument's depth.")
    ] = None,
    levels: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How many levels a side of it.")
    ] = LEVELS,
    json: JsonOption = False,
) -> None:
    """Run the log again, in memory, and show the state that comes out.

    Begins with the newest snapshot before the target. Every record's events are compared byte for
    byte with those in the log: a difference ends it with exit code 65 and names the record. With
    --diff, exits with 1 if the two directories differ.

    Example: tradeclear wal replay wal --until 2026-01-31T08:00:00Z --book BTC-USD
    """
    if diff is not None and book is not None:
        raise typer.BadParameter("--diff compares every book: leave out --book")
    with opened(directory) as storage:
        if diff is not None:
            with opened(diff) as other:
                same = compare(storage, other, until or OPEN, from_start=from_start, as_json=json)
            raise typer.Exit(ExitCode.OK if same else ExitCode.ERROR)
        replica = make_replica(storage, until or OPEN, from_start=from_start)
        if book is not None and book not in replica.engine.books:
            known = ", ".join(replica.engine.books) or "none yet"
            stop(
                f"there is no instrument {book!r} at record {replica.seq}: {known}", ExitCode.USAGE
            )
        facts = {"directory": storage.directory} | _facts(replica)
        if json:
            depth = {} if book is None else {"book": book_view(replica.engine, book, levels)}
            show_json(facts | {"instruments": quotes(replica.engine)} | depth)
            return
        show_facts(facts.items())
        show_line()
        show_quotes(replica.engine)
        if book is not None:
            show_line()
            show_book(replica.engine, book, levels)


def _facts(replica: Replica) -> dict[str, Any]:
    engine = replica.engine
    return {
        "seq": engine.seq,
        "time": time_text(engine.time) if engine.seq else None,
        "state_hash": state_hash(engine),
        "open_orders": engine.orders.open_count,
        "trades": replica.trades,
        "from_snapshot": replica.snapshot_seq,
        "replayed": replica.replayed,
        "seconds": round(replica.seconds, 3),
        "records_per_s": round(replica.replayed / replica.seconds),
    }
