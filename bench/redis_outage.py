"""What a stopped Redis costs the orders: nothing, and here are the figures.

Three phases of the same steady load, with Redis stopped (SIGSTOP) in the second; then the same load
without any Redis. Prints a table; exits with 1 if the mirror is not the book afterwards.

    python bench/redis_outage.py --rate 1000 --seconds 10
"""

import argparse
import sys
from functools import partial

import trio

from tradeclear.testing.redis_outage import Outage, run_outage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=1000, help="orders a second")
    parser.add_argument("--seconds", type=float, default=10, help="length of a phase")
    given = parser.parse_args()
    print("| Redis | phase | orders | p50 ms | p99 ms | max ms | processor s |")
    print("|---|---|---|---|---|---|---|")
    run = partial(run_outage, rate_per_s=given.rate, phase_s=given.seconds)
    mirrored = trio.run(run)
    show("there", mirrored)
    show("none", trio.run(partial(run, with_redis=False)))
    print(f"\nThe mirror had caught up {mirrored.caught_up_s:.3f} s after Redis went on.")
    for difference in mirrored.differences:
        print(f"The mirror differs: {difference}", file=sys.stderr)
    sys.exit(bool(mirrored.differences))


def show(redis: str, outage: Outage) -> None:
    """A row for each phase."""
    for phase, found in outage.latencies.items():
        name = phase if redis == "there" else "the same time"
        figures = (found.orders, found.p50_ms, found.p99_ms, found.max_ms, found.processor_s)
        print("|", " | ".join(map(str, (redis, name, *figures))), "|")


if __name__ == "__main__":
    main()
