"""Run the public matching-engine benchmark through the core's order book.

    python bench/matching_benchmark.py FILE.bin.xz [FILE.bin.xz ...]

Prints messages, seconds, messages a second and the SHA-256 of the reports. The messages are decoded
beforehand; timed is the book with every report made as a tuple (the text for the hash is written
afterwards). The book is the one that `Engine.apply` drives; a modify is a cancel and a reinsert.
`--apply` also sends the same flow through the whole `Engine.apply`: order ids, clients, statuses,
trades, events and all.
"""

import argparse
import gc
import hashlib
import lzma
import statistics
import struct
import time
from pathlib import Path

from tradeclear.core.book import OrderBook
from tradeclear.core.engine import Engine
from tradeclear.core.lifecycle import Order
from tradeclear.model.commands import CancelOrder, Command, Configure, Limits, PlaceOrder
from tradeclear.model.instrument import define_instrument
from tradeclear.model.order import Side

Message = tuple[int, int, int, int, int, str, int]
Report = tuple[int | str, ...]

FILLS_MAX = 1 << 62
INSTRUMENT = define_instrument("BENCHMARK", tick_size="1", lot_size="1")


def read_messages(path: Path) -> list[Message]:
    """Decode a benchmark file into (type, side, ioc, quantity, sequence, id, price)."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        data = lzma.decompress(data)
    header = struct.Struct("<QII")
    _magic, version, count = header.unpack_from(data)
    if version != 1:
        raise SystemExit(f"{path}: version {version} is not known (1 is)")
    records = struct.Struct("<BBBBIQQqq")
    body = memoryview(data)[header.size : header.size + count * records.size]
    return [
        (kind, side, ioc, quantity, seq, str(order_id), price)
        for kind, side, ioc, _pad, quantity, seq, order_id, price, _reserved in records.iter_unpack(
            body
        )
    ]


def run(messages: list[Message]) -> tuple[list[Report], float]:
    """Feed every message to a fresh book. Returns the reports and the seconds taken."""
    book = OrderBook()
    match, rest, remove = book.match, book.rest, book.remove
    bid_keys, ask_keys = book.bids.keys, book.asks.keys
    orders: dict[str, Order] = {}
    reports: list[Report] = []
    report = reports.append
    started = time.perf_counter()
    for kind, side_number, ioc, quantity, seq, order_id, price in messages:
        if kind == 0:
            side: Side = "sell" if side_number else "buy"
            report((0, seq, side_number, order_id, price, quantity))
        elif kind == 1:
            order = orders.pop(order_id, None)
            if order is None:
                report((4, seq, order_id))
            else:
                remove(order)
                report((2, seq, 1 if order.side == "sell" else 0, order_id, order.price))
            continue
        else:
            order = orders.pop(order_id, None)
            if order is None:
                report((5, seq, order_id))
                continue
            remove(order)
            side = order.side
            side_number = 1 if side == "sell" else 0
            report((3, seq, side_number, order_id, price, quantity))
        if side_number:
            crossing = bid_keys and bid_keys[-1] >= price
        else:
            crossing = ask_keys and -ask_keys[-1] <= price
        if crossing:
            met = match(side, price, quantity, FILLS_MAX)
            quantity = met.remaining
            for maker, traded in met.fills:
                maker_id = maker.order_id
                report((1, seq, maker.price, traded, maker_id, order_id))
                if not maker.remaining:
                    del orders[maker_id]
            if not quantity:
                continue
        if ioc:
            report((2, seq, side_number, order_id, price))
        else:
            order = orders[order_id] = Order(order_id, "", side, price, quantity, quantity)
            rest(order)
    return reports, time.perf_counter() - started


def as_commands(messages: list[Message], reports: list[Report]) -> list[Command]:
    """The same flow as commands for the engine, which never takes an order id twice.

    Prices and ids are those of the messages; each life of an id gets a number. A modify becomes a
    cancel and, unless `reports` says that it was rejected, a new order.
    """
    rejected = {report[1] for report in reports if report[0] == 5}
    lives: dict[str, int] = {}
    commands: list[Command] = [Configure((INSTRUMENT,), Limits())]
    sides: dict[str, Side] = {}
    for kind, side_number, ioc, quantity, seq, order_id, price in messages:
        life = lives.get(order_id, 0)
        if kind:
            commands.append(CancelOrder(f"{order_id}.{life}"))
        if kind == 1 or seq in rejected:
            continue
        if kind == 0:
            sides[order_id] = "sell" if side_number else "buy"
        lives[order_id] = life + 1
        commands.append(
            PlaceOrder(
                f"{order_id}.{life + 1}",
                "client",
                INSTRUMENT.name,
                sides[order_id],
                "limit",
                price,
                quantity,
                "ioc" if ioc else "gtc",
            )
        )
    return commands


def run_apply(commands: list[Command]) -> tuple[Engine, float]:
    """Feed every command to a fresh engine. Returns it and the seconds taken."""
    engine = Engine()
    apply = engine.apply
    started = time.perf_counter()
    for seq, command in enumerate(commands, 1):
        apply(seq, seq, command)
    return engine, time.perf_counter() - started


def digest(reports: list[Report]) -> str:
    """SHA-256 of the reports as text, stable-sorted by (sequence, kind)."""
    ordered = sorted(reports, key=lambda report: (report[1], report[0]))
    text = "\n".join(",".join(map(str, report)) for report in ordered)
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.bin.xz")
    parser.add_argument(
        "--apply", action="store_true", help="also time the flow through the whole Engine.apply"
    )
    parser.add_argument("--runs", type=int, default=1, help="time so many runs, report the median")
    arguments = parser.parse_args()
    for path in arguments.files:
        measure(path, runs=arguments.runs, through_apply=arguments.apply)


def measure(path: Path, *, runs: int, through_apply: bool) -> None:
    """Run one file and print what came of it. Nothing of one run is kept during the next."""
    messages = read_messages(path)
    gc.collect()
    gc.freeze()
    reports, seconds = run(messages)
    sha256 = digest(reports)
    commands = as_commands(messages, reports) if through_apply else []
    del reports
    gc.collect()
    median = statistics.median([seconds, *(run(messages)[1] for _ in range(runs - 1))])
    print(path.name)
    print(f"  messages   {len(messages):,}")
    print(f"  seconds    {median:.3f}")
    print(f"  messages/s {len(messages) / median:,.0f}")
    print(f"  sha256     {sha256}")
    if through_apply:
        gc.collect()
        gc.freeze()
        median = statistics.median(run_apply(commands)[1] for _ in range(runs))
        print(f"  Engine.apply: {len(commands):,} commands, {len(commands) / median:,.0f} /s")


if __name__ == "__main__":
    main()
