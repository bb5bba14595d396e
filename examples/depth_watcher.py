#!/usr/bin/env python
"""Show a live order book, kept up through lost connections and restarts of the exchange.

    python examples/depth_watcher.py --url http://127.0.0.1:8000 --levels 5

On a terminal the book is drawn in place; else each change is a line.
"""

import argparse
import sys
from itertools import zip_longest

import trio

from tradeclear.client import Depth, Level, Patience, TradeclearError, open_client

CLEAR = "\x1b[H\x1b[J"
PATIENCE = Patience(give_up_s=5)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show a live order book.")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the exchange")
    parser.add_argument("--instrument", help="default: the exchange's first")
    parser.add_argument("--levels", type=int, default=10, help="price levels a side (default 10)")
    parser.add_argument(
        "--interval-ms",
        type=int,
        default=100,
        help="at most one change in so long: 50, 100, 250, 500, 1000, 2000, 5000 (default 100)",
    )
    return parser.parse_args()


async def watch(options: argparse.Namespace) -> None:
    async with open_client(options.url, patience=PATIENCE) as client:
        instrument = options.instrument or (await client.market.instruments())[0].instrument
        async with client.depth(instrument, interval_ms=options.interval_ms) as depth:
            async for _ in depth.changes():
                if sys.stdout.isatty():
                    print(CLEAR + table(depth, instrument, options.levels), flush=True)
                else:
                    print(line(depth), flush=True)


def line(depth: Depth) -> str:
    """The best of both sides."""
    return f"{depth.sequence}  bid {shown(depth.best_bid)}  ask {shown(depth.best_ask)}"


def table(depth: Depth, instrument: str, count: int) -> str:
    """Both sides, best first."""
    bids, asks = depth.levels(count)
    bid, ask = depth.best_bid, depth.best_ask
    spread = f", spread {ask.price - bid.price}" if bid and ask else ""
    rows = [f"{instrument} at {depth.sequence}, {depth.state}{spread}", ""]
    rows.append(f"{'bids':>31}   {'asks'}")
    for left, right in zip_longest(bids, asks):
        rows.append(f"{shown(left) if left else '':>31}   {shown(right) if right else ''}")
    return "\n".join(rows)


def shown(level: Level | None) -> str:
    """What is to be had at a price."""
    return f"{level.quantity} at {level.price}" if level else "nothing"


def main() -> None:
    try:
        trio.run(watch, arguments())
    except* KeyboardInterrupt:
        pass


if __name__ == "__main__":
    try:
        main()
    except TradeclearError as error:
        sys.exit(str(error))
