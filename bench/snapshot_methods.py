"""Measure ways of taking a snapshot while orders come in.

    python bench/snapshot_methods.py [--orders 1000000] [--rate 2000]

Builds a book of resting orders on a real log, then, for each way, submits orders at a fixed rate
(open loop, latency counted from the time an order was due) and takes one snapshot meanwhile. Ways:

- none: no snapshot, the baseline
- stop: dump and write in the matcher's thread, everything else waits
- sliced: walk the state in slices of a millisecond between other tasks; what a copy-on-write hook
  in every change of the core would cost comes on top, so this is a lower bound
- fork: the forked process dumps and writes
- replica: a child process replays the log from the last snapshot and writes (what tradeclear does)
"""

import argparse
import gc
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from tradeclear.core.engine import Engine
from tradeclear.core.state import dump
from tradeclear.model.commands import CancelOrder, Command, Configure, Limits, PlaceOrder
from tradeclear.model.instrument import define_instrument
from tradeclear.model.order import Side
from tradeclear.pipeline.outcome import Answer
from tradeclear.pipeline.partition import Partition
from tradeclear.supervisor.snapshot_files import ReplicaSnapshots, write_snapshot
from tradeclear.telemetry.metrics import Metrics
from tradeclear.wal.codec import encode_record
from tradeclear.wal.log import Log
from tradeclear.wal.posix import PosixStorage
from tradeclear.wal.quarantine import Quarantine

CHUNK = 2_000


def fill(engine: Engine, log: Log, count: int) -> None:
    """Rest `count` orders on 2 x 5,000 levels and write them to the log."""
    command: Command = Configure((define_instrument("BTC-USD"),), Limits())
    batch: list[bytes] = []
    for number in range(count + 1):
        seq = engine.seq + 1
        batch.append(encode_record((seq, seq, command, engine.apply(seq, seq, command))))
        if len(batch) == CHUNK or number == count:
            log.append(seq - len(batch) + 1, batch)
            batch = []
        side: Side = "buy" if number % 2 else "sell"
        offset = 1 + number * 7919 % 5000
        price = 7_000_000 + (-offset if side == "buy" else offset)
        command = PlaceOrder(
            f"order-{number}", f"client-{number % 1000}", "BTC-USD", side, "limit", price, 1000
        )


async def load(
    partition: Partition, rate: int, name: str, done: trio.Event, latencies: list[float]
) -> None:
    """Place and cancel at `rate` a second until `done`, noting latencies from the time due."""
    started = time.perf_counter()
    number = 0
    while not done.is_set():
        due = started + number / rate
        now = time.perf_counter()
        if due > now:
            await trio.sleep(due - now)
        order_id = f"{name}-{number // 2}"
        command: Command = CancelOrder(order_id)
        if number % 2 == 0:
            command = PlaceOrder(order_id, "c", "BTC-USD", "buy", "limit", 6_990_000, 10)
        partition.submit_nowait(command, partial(_arrived, due, latencies))
        number += 1


def _arrived(due: float, latencies: list[float], _answer: Answer) -> None:
    latencies.append(time.perf_counter() - due)


async def no_snapshot() -> None:
    """The baseline."""
    await trio.sleep(5)


async def stop_the_world(storage: PosixStorage, engine: Engine) -> None:
    """Dump and write in this very thread."""
    write_snapshot(storage, engine, time.perf_counter())
    await trio.lowlevel.checkpoint()


async def sliced(engine: Engine) -> None:
    """Walk the dump's chunks, a millisecond at a time (kept in memory, as the copy would be)."""
    copied = []
    turn = time.perf_counter()
    for order in list(engine.orders.by_id.values()):
        copied.append(order.state())
        if time.perf_counter() - turn > 0.001:
            await trio.sleep(0.001)
            turn = time.perf_counter()


async def fork(storage: PosixStorage, engine: Engine) -> None:
    """Let a forked process dump and write."""
    pid = os.fork()
    if pid == 0:
        write_snapshot(storage, engine, time.perf_counter())
        os._exit(0)
    await trio.to_thread.run_sync(os.waitpid, pid, 0)


async def replica(snapshots: ReplicaSnapshots, partition: Partition) -> None:
    """Let a child process replay the log."""
    seq = partition.engine.seq
    await partition.gate.wait_durable(seq)
    await snapshots.make(seq)


async def measure(
    name: str, take: Callable[[], Awaitable[None]], partition: Partition, rate: int
) -> None:
    """One row of the table."""
    latencies: list[float] = []
    done = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(load, partition, rate, f"{name}-{time.time_ns()}", done, latencies)
        await trio.sleep(0.5)
        latencies.clear()
        started = time.perf_counter()
        await take()
        seconds = time.perf_counter() - started
        await trio.sleep(0.2)
        done.set()
    cuts = statistics.quantiles(latencies, n=1000)
    print(
        f"{name:8} {seconds:8.2f} {len(latencies):8,} {cuts[499] * 1e3:8.2f} "
        f"{cuts[989] * 1e3:8.2f} {cuts[998] * 1e3:9.2f} {max(latencies) * 1e3:9.2f}",
        flush=True,
    )


async def run(orders: int, rate: int, rounds: int) -> None:
    """Build, then measure each way in turn, `rounds` times."""
    directory = tempfile.mkdtemp(prefix="tradeclear-snapshots-")
    storage = PosixStorage(directory)
    log = Log.open(storage)
    engine = Engine()
    fill(engine, log, orders)
    write_snapshot(storage, engine, time.perf_counter())
    gc.collect()
    gc.freeze()
    partition = Partition(
        engine=engine,
        log=log,
        clock=lambda: time.time_ns() // 1000,
        quarantine=Quarantine(storage),
        metrics=Metrics(),
        input_channel_max=100_000,
    )
    state_bytes = sum(map(len, dump(engine)))
    print(f"{orders:,} resting orders, state {state_bytes / 1e6:.0f} MB, {rate} commands/s")
    print("way       seconds commands  p50 ms   p99 ms  p99.9 ms    max ms")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partition.run)
        for _ in range(rounds):
            await measure("none", no_snapshot, partition, rate)
            await measure("stop", partial(stop_the_world, storage, engine), partition, rate)
            await measure("sliced", partial(sliced, engine), partition, rate)
            await measure("fork", partial(fork, storage, engine), partition, rate)
            child = partial(replica, ReplicaSnapshots(storage), partition)
            await measure("replica", child, partition, rate)
        partition.stop()
    log.close()
    shutil.rmtree(directory)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=2_000, help="commands a second")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    trio.run(run, arguments.orders, arguments.rate, arguments.rounds)


if __name__ == "__main__":
    main()
