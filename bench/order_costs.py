#!/usr/bin/env python3
"""What each step of an order's way costs alone: microseconds of processor time, nothing beside it.

    python bench/order_costs.py                 twenty rounds
    python bench/order_costs.py --rounds 3 --json

The orders are those of the benchmarks (half of them trade, one trade an order on average), each
step is the program's own function, and the tables of closed orders and trades are full. Sockets,
the channel, the commit gate and Trio's turns are not in it. Of the rounds the median is told.
"""

import argparse
import gc
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "load-test"))

from loadtest.orders import balanced_orders

from tradeclear.core.engine import Engine
from tradeclear.gateway.door.response import response
from tradeclear.gateway.orders import place_order
from tradeclear.gateway.rate_limits import RateLimits, TokenBuckets
from tradeclear.gateway.replies import answer
from tradeclear.model.commands import Configure, Limits
from tradeclear.model.events import Record
from tradeclear.model.instrument import Instrument, define_instrument
from tradeclear.pipeline.outcome import Outcome
from tradeclear.telemetry.order_lines import encode_lines
from tradeclear.wal.codec import decode_frame, encode_events, encode_record
from tradeclear.wal.frame import encode_records

ORDERS = 10_000
TURN = 32
"""So many orders are taken up together, and written in one frame."""

ADDRESS = "192.0.2.1"
START_US = 1_700_000_000_000_000


class Costs:
    """An exchange's parts, without its tasks; and how long each step took, a round at a time."""

    def __init__(self) -> None:
        self.per_order_us: dict[str, list[float]] = {}
        self._engine = Engine()
        limits = Limits(closed_orders_max=2 * ORDERS, trades_max=2 * ORDERS)
        self._engine.apply(1, START_US, Configure((define_instrument("BTC-USD"),), limits))
        self._limits = RateLimits(client=_bucket(), address=_bucket())
        self._bodies = [order.body().encode() for order in balanced_orders()]
        self._sent = 0

    def instrument(self, name: str) -> Instrument | None:
        return self._engine.instruments.get(name)

    def instruments(self) -> tuple[Instrument, ...]:
        return tuple(self._engine.instruments.values())

    def round(self) -> None:
        """Take `ORDERS` orders through every step."""
        bodies = [
            self._bodies[n % len(self._bodies)] for n in range(self._sent, self._sent + ORDERS)
        ]
        self._sent += ORDERS
        with self._step("decode and validate"):
            commands = [place_order(body, None, self) for body in bodies]
        with self._step("two rate limits"):
            for command in commands:
                self._limits.charge_address(ADDRESS)
                self._limits.charge_client(command.client_id)
        first = self._engine.seq + 1
        stamped = [(first + n, START_US + (first + n) // TURN, c) for n, c in enumerate(commands)]
        with self._step("match, and make the events"):
            events = [self._engine.apply(seq, time, command) for seq, time, command in stamped]
        records = [
            Record(*stamp, happened) for stamp, happened in zip(stamped, events, strict=True)
        ]
        with self._step("encode the record"):
            encoded = [encode_record(record) for record in records]
        outcomes = [Outcome(record) for record in records]
        with self._step("write the reply"):
            replies = [answer(outcome, self) for outcome in outcomes]
        with self._step("put it into a response"):
            for reply in replies:
                response(reply)
        with self._step("write the log line"):
            for at in range(0, ORDERS, TURN):
                encode_lines(records[at : at + TURN])
        frames = [encode_records(encoded[at : at + TURN]) for at in range(0, ORDERS, TURN)]
        with self._step("recovery: decode the record"):
            for frame in frames:
                decode_frame(frame)
        with self._step("recovery: encode the events to compare"):
            for happened in events:
                encode_events(happened)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = process_time()
        yield
        us = (process_time() - started) / ORDERS * 1e6
        self.per_order_us.setdefault(name, []).append(us)


def _bucket(clock: Callable[[], float] = perf_counter) -> TokenBuckets:
    return TokenBuckets(rate_per_s=1e9, burst=10**9, clock=clock)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20, help="after two of warm-up [20]")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    costs = Costs()
    gc.disable()
    for _ in range(2):
        costs.round()
    costs.per_order_us.clear()
    for _ in range(options.rounds):
        costs.round()
    told = {name: median(us) for name, us in costs.per_order_us.items()}
    if options.json:
        print(json.dumps(told))
        return 0
    for name, us in told.items():
        print(f"{name:40} {us:5.2f} µs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
