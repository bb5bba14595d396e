"""One process of the load: reads its part on standard input, says how it goes on standard output.

    -> a line: the plan, this worker's number, a prefix for keys, the file for the samples
    <- "ready"                  its connections stand
    -> the start, in nanoseconds of the monotonic clock that all processes share
    <- lines of JSON            sent, answered, turned_away, so far
    <- "done"                   the samples are in the file

`workers` is its other end.
"""

import gc
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import BinaryIO

from loadtest.closed_loop import ClosedLoop
from loadtest.http1 import RequestWriter
from loadtest.open_loop import OpenLoop
from loadtest.orders import balanced_orders, bodies_of
from loadtest.plan import Plan
from loadtest.samples import Samples
from loadtest.schedule import due_times_ns, share_of

TELL_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of the load this is."""

    plan: Plan
    number: int
    key_prefix: str
    samples_file: Path

    @property
    def connections(self) -> int:
        """This worker's share of them, at least one."""
        whole, rest = divmod(self.plan.connections, self.plan.processes)
        return max(1, whole + (self.number < rest))

    def number_of(self, index: int) -> int:
        """An order's number among those of all workers."""
        return index * self.plan.processes + self.number

    def to_json(self) -> str:
        return json.dumps(
            [self.plan.to_json(), self.number, self.key_prefix, str(self.samples_file)]
        )

    @classmethod
    def from_json(cls, text: str) -> "Part":
        plan, number, key_prefix, samples_file = json.loads(text)
        return cls(Plan.from_json(plan), number, key_prefix, Path(samples_file))


def main() -> None:
    part = Part.from_json(sys.stdin.readline())
    try:
        load = open_loop(part) if part.plan.open_loop else closed_loop(part)
    except OSError as error:
        sys.exit(f"load-test: {error}")
    gc.collect()
    gc.freeze()
    gc.disable()
    print("ready", flush=True)
    start_ns = int(sys.stdin.readline())
    started, cpu = perf_counter(), process_time()
    plan = part.plan
    if isinstance(load, OpenLoop):
        load.run(start_ns, plan.drain_s, teller(load))
    else:
        load.run(start_ns, plan.warm_up_s + plan.seconds, plan.drain_s, teller(load))
    samples = load.samples()
    samples.cpu_s = process_time() - cpu
    samples.busiest_share = samples.cpu_s / (perf_counter() - started)
    with part.samples_file.open("wb") as file:
        write_samples(samples, file)
    print("done", flush=True)


def open_loop(part: Part) -> OpenLoop:
    plan = part.plan
    due = due_times_ns(
        plan.rate_per_s, plan.warm_up_s + plan.seconds, arrivals=plan.arrivals, seed=plan.seed
    )
    return OpenLoop(
        plan.host,
        plan.port,
        connections=part.connections,
        pipeline=plan.pipeline,
        due_ns=share_of(due, part.number, plan.processes),
        requests=requests_of(part),
        numbers=part.number_of,
        give_up_s=plan.give_up_s,
    )


def closed_loop(part: Part) -> ClosedLoop:
    plan = part.plan
    return ClosedLoop(
        plan.host,
        plan.port,
        connections=part.connections,
        pipeline=plan.pipeline,
        requests=requests_of(part),
        numbers=part.number_of,
    )


def requests_of(part: Part) -> RequestWriter:
    plan = part.plan
    if plan.orders_file:
        bodies = bodies_of(Path(plan.orders_file))
    else:
        bodies = [order.body() for order in balanced_orders(plan.seed)]
    return RequestWriter(
        f"{plan.host}:{plan.port}",
        bodies,
        path=plan.path,
        key_prefix=part.key_prefix if plan.keys and not plan.orders_file else "",
    )


def teller(load: OpenLoop | ClosedLoop) -> Callable[[], None]:
    """What to call in every turn: it prints how far things are, a few times a second."""
    next_s = perf_counter()

    def tell() -> None:
        nonlocal next_s
        if perf_counter() < next_s:
            return
        next_s = perf_counter() + TELL_EVERY_S
        print(json.dumps([load.sent, load.answered, load.turned_away]), flush=True)

    return tell


def write_samples(samples: Samples, file: BinaryIO) -> None:
    """A line of JSON, then the four columns."""
    head = [len(samples), samples.retry_after_missing, samples.cpu_s, samples.busiest_share]
    file.write(json.dumps(head).encode() + b"\n")
    for column in (samples.due_ns, samples.sent_ns, samples.latency_ns, samples.status):
        column.tofile(file)


def read_samples(file: BinaryIO) -> Samples:
    """What `write_samples` wrote."""
    count, retry_after_missing, cpu_s, busiest_share = json.loads(file.readline())
    samples = Samples(
        retry_after_missing=retry_after_missing, cpu_s=cpu_s, busiest_share=busiest_share
    )
    for column in (samples.due_ns, samples.sent_ns, samples.latency_ns, samples.status):
        column.fromfile(file, count)
    return samples


if __name__ == "__main__":
    main()
