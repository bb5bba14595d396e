#!/usr/bin/env python3
"""Load an exchange and report its latencies.

    python load-test/run.py --rate 2000 --duration 60            open loop, at a fixed rate
    python load-test/run.py --closed --connections 32            closed loop, as fast as it goes

Without --url it starts an exchange of its own (rate limits high, but on) in a temporary folder, and
stops it afterwards. Half of the orders trade and half of them rest; the book stays small.

Writes report.md, latency.svg and summary.json into --out. Ends with 1 if an order failed in any way
other than being turned away with 429 or 503.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

sys.path.append(str(Path(__file__).resolve().parent.parent / "src"))  # it may not be installed

from loadtest import machine
from loadtest.orders import bodies_of
from loadtest.plan import Plan, processes_for
from loadtest.progress import ProgressBar
from loadtest.report import load_words, status_rows, status_words, summarise, warnings, write_report
from loadtest.server import own_exchange
from loadtest.workers import WorkerFailed, run_plan

CHECKOUT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Make the load that the command line asks for. Returns the exit status."""
    options = parse_options()
    check_orders(options)
    try:
        with exchange(options) as (host, port, conditions):
            plan = plan_of(options, host, port)
            print(f"{load_words(plan)} …", file=sys.stderr)
            bar = ProgressBar(plan)
            samples = run_plan(plan, bar)
            bar.finish()
    except (WorkerFailed, ConnectionError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    summary = summarise(plan, samples, conditions)
    for status, count in status_rows(summary):
        print(f"{status_words(status):<10} {count:>12,}")
    print(f"{'accepted':<10} {summary.accepted_per_s:>12,.0f} a second")
    for name, latency_ms in summary.latency_ms.items():
        print(f"{name:<10} {latency_ms:>12,.2f} ms")
    for warning in warnings(summary):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"report     {write_report(options.out, summary, samples)}")
    return 1 if summary.failures else 0


@contextmanager
def exchange(options: argparse.Namespace) -> Iterator[tuple[str, int, dict[str, str]]]:
    """The exchange to load: the one at --url, or one of our own. Its host, port, and conditions."""
    if options.url:
        address = urlsplit(options.url)
        if address.scheme != "http" or address.hostname is None:
            raise SystemExit(f"--url: {options.url} is no http address")
        conditions = {"Exchange": options.url, **machine.description()}
        yield address.hostname, address.port or 80, conditions
        return
    with own_exchange(options.wal_dir) as own:
        conditions = {"Exchange": own.words, **machine.description(own.wal_dir)}
        yield own.host, own.port, conditions


def check_orders(options: argparse.Namespace) -> None:
    """A file's orders carry their own keys, so each may be sent once: there must be enough."""
    if options.orders is None:
        return
    if options.closed:
        raise SystemExit("--orders needs a --rate: a closed loop may use more than there are")
    needed = round(options.rate * (options.warm_up + options.duration))
    if (there := len(bodies_of(options.orders))) < needed:
        raise SystemExit(f"--orders: {options.orders} has {there:,} orders, {needed:,} are needed")


def plan_of(options: argparse.Namespace, host: str, port: int) -> Plan:
    rate = 0.0 if options.closed else options.rate
    cores = len(os.sched_getaffinity(0))
    return Plan(
        host=host,
        port=port,
        path=options.path,
        rate_per_s=rate,
        seconds=options.duration,
        warm_up_s=options.warm_up,
        connections=options.connections or (32 if options.closed else 128),
        pipeline=options.pipeline,
        processes=options.processes or processes_for(rate, cores),
        arrivals="poisson" if options.poisson else "constant",
        keys=not options.no_keys,
        give_up_s=options.give_up,
        drain_s=options.drain,
        seed=options.seed,
        orders_file="" if options.orders is None else str(options.orders.resolve()),
    )


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--url", help="a running exchange, as http://127.0.0.1:8000 (none: start one)")
    add("--rate", type=positive, default=2_000.0, metavar="N", help="orders a second [2000]")
    add("--duration", type=positive, default=60.0, metavar="S", help="seconds measured [60]")
    add("--warm-up", type=float, default=3.0, metavar="S", help="seconds before that [3]")
    add("--closed", action="store_true", help="closed loop instead of a rate")
    add("--connections", type=int, default=0, metavar="N", help="[128; closed: 32]")
    add(
        "--pipeline",
        type=int,
        default=1,
        metavar="N",
        help="orders under way on a connection; open loop: only once none is idle [1]",
    )
    add("--poisson", action="store_true", help="arrivals independent of each other")
    add("--processes", type=int, default=0, metavar="N", help="of the generator [by rate]")
    add(
        "--give-up", type=float, default=0.0, metavar="S", help="don't send what is so late [never]"
    )
    add("--drain", type=float, default=10.0, metavar="S", help="wait for the last replies [10]")
    add("--no-keys", action="store_true", help="send no idempotency keys")
    add("--orders", type=Path, metavar="FILE", help="bodies, one a line (fixtures/gen_orders.py)")
    add("--path", default="/orders", help="where to send them [/orders]")
    add("--wal-dir", type=Path, metavar="DIR", help="log of the own exchange [temporary]")
    add("--seed", type=int, default=1, help="of the orders [1]")
    now = datetime.now().astimezone()
    out = CHECKOUT / "build" / "load-test" / f"{now:%Y-%m-%d-%H%M%S}"
    add("--out", type=Path, default=out, metavar="DIR", help="[build/load-test/TIME]")
    return parser.parse_args()


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
