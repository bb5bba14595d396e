#!/usr/bin/env python
"""Write every trade of an instrument to a CSV file: none missing, none twice.

    python examples/trade_recorder.py --url http://127.0.0.1:8000 --out trades.csv

Stopped and started again, it goes on where the file ends: what happened meanwhile comes from the
exchange's log.
"""

import argparse
import csv
import io
import sys
from pathlib import Path
from typing import NamedTuple

import trio

from tradeclear.client import (
    Patience,
    Subscribed,
    Topic,
    Trade,
    TradeclearError,
    TradesUpdate,
    open_client,
)

COLUMNS = ("trade_id", "sequence", "timestamp", "taker_side", "price", "quantity")
TAIL_BYTES = 4_096
PATIENCE = Patience(give_up_s=5)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write every trade to a CSV file.")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the exchange")
    parser.add_argument("--instrument", help="default: the exchange's first")
    parser.add_argument("--out", type=Path, default=Path("trades.csv"), help="default: trades.csv")
    return parser.parse_args()


class Last(NamedTuple):
    """The last trade in the file."""

    trade_id: int
    sequence: int


async def record(options: argparse.Namespace) -> None:
    last = repair(options.out)
    heard = max(last.sequence - 1, 0)  # the last trade's command may have made more of them
    async with open_client(options.url, patience=PATIENCE) as client:
        instrument = options.instrument or (await client.market.instruments())[0].instrument
        topic = Topic.trades(instrument, from_sequence=heard)
        with options.out.open("ab") as file:
            async with client.stream(topic) as stream:
                async for message in stream:
                    if isinstance(message, TradesUpdate):
                        new = [t for t in message.trades if t.trade_id > last.trade_id]
                        file.write(rows(new))
                        file.flush()
                        for trade in new:
                            print(
                                f"{trade.trade_id}: {trade.quantity} at {trade.price}", flush=True
                            )
                    elif isinstance(message, Subscribed) and message.resume == "ahead":
                        sys.exit(f"{options.out} holds trades of another exchange")
                    elif isinstance(message, Subscribed) and message.resume == "too_old":
                        print(f"gap: nothing between {heard} and {message.sequence} is told")


def rows(trades: list[Trade]) -> bytes:
    """Trades as lines of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [getattr(trade, column) for column in COLUMNS] for trade in trades
    )
    return text.getvalue().encode()


def repair(path: Path) -> Last:
    """Make the file begin with its head and end with a whole line; its last trade."""
    if not path.exists() or not path.stat().st_size:
        path.write_text(",".join(COLUMNS) + "\n")
    with path.open("r+b") as file:
        start = max(path.stat().st_size - TAIL_BYTES, 0)
        file.seek(start)
        tail = file.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        file.truncate(start + len(whole))
    last = whole.decode().splitlines()[-1].split(",")
    return Last(int(last[0]), int(last[1])) if last[0].isdigit() else Last(0, 0)


def main() -> None:
    try:
        trio.run(record, arguments())
    except* KeyboardInterrupt:
        pass


if __name__ == "__main__":
    try:
        main()
    except TradeclearError as error:
        sys.exit(str(error))
