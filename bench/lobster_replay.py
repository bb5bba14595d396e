"""Replay an hour of real NASDAQ order flow through the API and compare with what really happened.

    python bench/lobster_replay.py --url http://127.0.0.1:8000      against a running server
    python bench/lobster_replay.py [--wal-dir DIR] [--kill]          starts a server of its own

The record (LOBSTER, AAPL, 2012-06-21, 09:30 to 10:30) holds every visible order event and the best
bid and ask after each. New orders are entered, reductions amended, deletions cancelled, and the
executions of one aggressor become one incoming limit order: the exchange must find the same makers,
prices and sizes in the same order by itself. After every row best bid and ask are asked for with
GET /orderbook. Where makers differ (hidden liquidity, feed order), the book is put back with
ordinary orders and the replay goes on.

`Replay` knows the record and no transport: it yields requests and is sent what came back.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from lobster.api import Api, check_instrument, configuration, open_api, show_book
from lobster.portrait import differing, portray
from lobster.record import ROWS, Hour, read_hour
from lobster.replay import Replay
from lobster.requests import Look
from tradeclear.testing.server import Server, running_server

CHECKOUT: Final = Path(__file__).resolve().parent.parent
AGGRESSORS_EXACT_MIN: Final = 3_315
"""3,310 is what was asked for; an exchange that loses priority on a reduction has that too."""
BEST_EQUAL_MIN: Final = 91_162
DIFFERENCES_SHOWN_MAX: Final = 20


async def replay_against(url: str, hour: Hour, options: argparse.Namespace) -> bool:
    """Replay against the server at `url`, print the figures; whether they are good."""
    console = Console(stderr=True)
    async with open_api(url, options.instrument) as api:
        await check_instrument(api)
        replay = Replay(hour, options.rows)
        seconds = await replay_through(api, replay, console)
        good = report(replay, api, seconds)
        shown = await show_book(api)
    for side in ("buy", "sell"):
        if shown[side] != replay.levels(side):
            print(f"the {side} side of the book is not what was entered: {shown[side]}")
            good = False
    return good


async def replay_through(api: Api, replay: Replay, console: Console) -> float:
    """Carry out the whole replay. Returns its seconds."""
    steps = replay.steps()
    started = time.perf_counter()
    with Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("rows", total=replay.rows_max)
        try:
            request = next(steps)
            while True:
                if isinstance(request, Look) and request.row % 100 == 0:
                    progress.update(task, completed=request.row)
                request = steps.send(await api.answer(request))
        except StopIteration:
            progress.update(task, completed=replay.rows_max)
    return time.perf_counter() - started


async def replay_on_own_server(hour: Hour, options: argparse.Namespace) -> bool:
    """Start a server and replay; its home stays if anything was not good."""
    home = Path(tempfile.mkdtemp(prefix="lobster-replay-"))
    config = configuration(options.instrument)
    async with running_server(home, wal_dir=options.wal_dir, config=config) as server:
        print(f"server {server.pid} at {server.url}, home {home}, log {server.wal_dir}")
        good = await replay_against(server.url, hour, options)
        if options.kill:
            good &= await kill_and_compare(server, options.instrument)
    if good:
        shutil.rmtree(home)
    return good


async def kill_and_compare(server: Server, instrument: str) -> bool:
    """`kill -9`, start again; whether everything is as it was and the log verifies."""
    async with open_api(server.url, instrument) as api:
        before = await portray(api)
    started = time.perf_counter()
    await server.restart()
    seconds = time.perf_counter() - started
    async with open_api(server.url, instrument) as api:
        after = await portray(api)
    wrong = differing(before, after)
    print(f"kill -9 and restart  {seconds:.2f} s, state hash {after.state_hash}")
    print(f"differing after it   {', '.join(wrong) or 'nothing'}")
    verified = await server.command("wal", "verify", "--replay", str(server.wal_dir))
    print(f"wal verify --replay  exit code {verified.returncode}")
    print((verified.stdout + verified.stderr).decode().rstrip())
    return not wrong and verified.returncode == 0


def report(replay: Replay, api: Api, seconds: float) -> bool:
    """Print what came of it; whether a correct exchange can't have done better."""
    figures = replay.figures
    table = Table(show_header=False, box=None, highlight=True)
    for name, value in (
        ("aggressors exact", f"{figures.exact:,} of {figures.aggressors:,}"),
        ("others equal in price and size", f"{figures.same_price_and_size:,}"),
        ("best bid and ask equal after", f"{figures.best_equal:,} of {figures.rows:,} rows"),
        ("commands", f"{figures.commands:,} ({figures.put_back} to put the book back)"),
        ("on an anonymous order, skipped", f"{figures.anonymous}, {figures.skipped}"),
        ("requests", f"{api.requests:,} in {seconds:.1f} s, {api.requests / seconds:,.0f}/s"),
    ):
        table.add_row(name, value)
    Console().print(table)
    for difference in figures.differences[:DIFFERENCES_SHOWN_MAX]:
        print(difference)
    if replay.rows_max < ROWS:
        return True
    return figures.exact >= AGGRESSORS_EXACT_MIN and figures.best_equal >= BEST_EQUAL_MIN


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    data = Path(os.environ.get("TRADECLEAR_DATA") or CHECKOUT.parent / "shared" / "data")
    parser.add_argument("--url", help="a running server; none: start one")
    parser.add_argument("--data", type=Path, default=data, help=f"recorded data ({data})")
    parser.add_argument("--instrument", default="AAPL")
    parser.add_argument("--rows", type=int, default=ROWS, help="stop after so many rows")
    parser.add_argument("--wal-dir", type=Path, help="the own server's log (a temporary folder)")
    parser.add_argument("--kill", action="store_true", help="kill -9 the own server and compare")
    options = parser.parse_args()
    if options.url and (options.kill or options.wal_dir):
        parser.error("--kill and --wal-dir are for a server of its own, without --url")
    return options


def main() -> None:
    options = parse_arguments()
    hour = read_hour(options.data)
    run = partial(replay_against, options.url) if options.url else replay_on_own_server
    sys.exit(0 if trio.run(run, hour, options) else 1)


if __name__ == "__main__":
    main()
