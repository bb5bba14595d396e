"""When orders are due. The schedule is made before the first is sent and knows nothing of replies.

That is what "open loop" means, and why a server that stalls can't hide it: the orders that were
due meanwhile are still due, and their latencies count from then (G. Tene, "How NOT to measure
latency").
"""

import random
from array import array
from itertools import accumulate
from typing import Literal

NS_PER_S = 1_000_000_000

Arrivals = Literal["constant", "poisson"]


def due_times_ns(
    rate_per_s: float, seconds: float, *, arrivals: Arrivals = "constant", seed: int = 1
) -> "array[int]":
    """Nanoseconds from the start at which each order is due, ascending.

    `constant`: one every 1/rate. `poisson`: independent of each other, so many a second on average.
    """
    count = round(rate_per_s * seconds)
    if arrivals == "constant":
        return array("q", (round(n * NS_PER_S / rate_per_s) for n in range(count)))
    draw = random.Random(seed)
    gaps = (draw.expovariate(rate_per_s) * NS_PER_S for _ in range(count))
    return array("q", map(round, accumulate(gaps)))


def share_of(due: "array[int]", worker: int, workers: int) -> "array[int]":
    """One worker's part: every `workers`-th order, so that together they keep the schedule."""
    return due[worker::workers]
