"""The supervisor: builds the exchange from its settings and runs it under one nursery.

Read `_run` to see every task there is. A failure of matcher or flusher ends the process at once
(fail-stop); the others are started again.
"""

import gc
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from errno import EDQUOT, EIO, ENOSPC, EROFS
from functools import partial
from pathlib import Path
from typing import Final

import trio

from tradeclear.config.load import SettingsError
from tradeclear.config.settings import Settings
from tradeclear.gateway.streams.streams import StreamLimits, Streams
from tradeclear.model import reasons
from tradeclear.model.errors import TradeclearError
from tradeclear.model.events import CommandRefused
from tradeclear.model.units import Seq
from tradeclear.pipeline.backlog import Backlog
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.partition import Partition
from tradeclear.pipeline.snapshotter import Snapshotter
from tradeclear.supervisor.doors import serve
from tradeclear.supervisor.following import Following
from tradeclear.supervisor.last_snapshot import write_last_snapshot
from tradeclear.supervisor.mirroring import Mirroring
from tradeclear.supervisor.order_log import OrderLog
from tradeclear.supervisor.restarting import restarting
from tradeclear.supervisor.retention import Retention
from tradeclear.supervisor.shadowing import Shadowing
from tradeclear.supervisor.snapshot_files import ReplicaSnapshots
from tradeclear.supervisor.startup import (
    Opened,
    configuration_changes,
    open_and_recover,
    wanted_configuration,
)
from tradeclear.telemetry import events
from tradeclear.telemetry.lines import lines
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics
from tradeclear.wal.errors import LogFailed
from tradeclear.wal.posix import PosixStorage
from tradeclear.wal.quarantine import Quarantine

DISK_ERRORS: Final = frozenset({EIO, EROFS, ENOSPC, EDQUOT})
"""With a log directory that is there, these are the disk's. One that can't be made is a wrong
setting: a disk may be meant to be read-only."""


class AddressUnavailable(TradeclearError):
    """The address to listen on is taken or not allowed: choose another."""


class ConfigurationRefused(TradeclearError):
    """The state does not allow what the settings ask for."""


@contextmanager
def _unseen() -> Iterator[Callable[[Seq, Seq], None]]:
    yield lambda seq, last_seq: None


async def run(
    settings: Settings,
    *,
    ready: Callable[[str], None],
    progress: Callable[[], AbstractContextManager[Callable[[Seq, Seq], None]]] = _unseen,
) -> None:
    """Run the exchange until SIGINT or SIGTERM; then drain, sync, snapshot and return.

    `ready` is told the address once orders are taken; within `progress()`, what that gave is told
    how far recovery has come, and the last record. Raises what `ExitCode` names: see
    `cli/serve.py`.
    """
    log.info(events.STARTING, wal_dir=settings.wal_dir)
    mirroring = Mirroring(settings)
    following = Following(settings)
    await _check_address(settings)
    storage = _open_directory(settings.wal_dir)
    with progress() as show:
        opened = await trio.to_thread.run_sync(
            partial(
                open_and_recover,
                storage,
                segment_bytes_max=settings.segment_bytes_max,
                progress=show,
            )
        )
    gc.collect()
    gc.freeze()
    try:
        await _run(settings, storage, opened, mirroring, following, ready)
    finally:
        opened.log.close()
    log.info(events.STOPPED, seq=opened.recovered.engine.seq)


async def _run(
    settings: Settings,
    storage: PosixStorage,
    opened: Opened,
    mirroring: Mirroring,
    following: Following,
    ready: Callable[[str], None],
) -> None:
    engine = opened.recovered.engine
    metrics = Metrics()
    partition = Partition(
        engine=engine,
        log=opened.log,
        clock=wall_clock,
        quarantine=Quarantine(storage),
        metrics=metrics,
        input_channel_max=settings.input_channel_max,
    )
    retention = Retention(settings, storage, opened.log, engine)
    snapshotter = Snapshotter(
        partition=partition,
        store=ReplicaSnapshots(storage),
        interval_s=settings.snapshot_interval_s,
        last_seq=opened.recovered.snapshot_seq,
        metrics=metrics,
        after=retention.prune,
    )
    exchange = Exchange(partition, snapshotter)
    streams = Streams(exchange, Backlog(opened.log), metrics, stream_limits(settings))
    order_log = OrderLog(partition.publisher, lines, metrics)
    _watch(metrics, partition, streams)

    stop_serving = trio.Event()
    # The receiver puts this back when it closes: however the exchange ends, a signal that comes
    # then would else take the place of its exit code and its last words.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partition.run)
            await _configure(settings, exchange, partition)
            shadowing = Shadowing(settings, exchange, following.market, metrics)
            await shadowing.clear()
            nursery.start_soon(mirroring.run, exchange, partition, metrics, following.books)
            nursery.start_soon(following.run, exchange, partition, metrics, shadowing.listen)
            nursery.start_soon(shadowing.run, partition)
            snapshots = await nursery.start(_snapshots, snapshotter, metrics)
            if settings.order_log:
                nursery.start_soon(restarting, "order_log", order_log.run, metrics)
            nursery.start_soon(restarting, "streams", streams.run, metrics)
            async with trio.open_nursery() as doors:
                serving = partial(
                    serve, exchange, streams, following, metrics, settings, stop_serving
                )
                address = await _open_doors(settings, doors, serving)
                ready(address)
                log.info(events.READY, address=address, seq=engine.seq)
                await anext(signals)
                log.info(events.STOPPING, seq=engine.seq)
                exchange.stopping = True
                streams.close()
                following.copies.close()
                stop_serving.set()
            await shadowing.stop()
            snapshots.cancel()
            partition.stop()

        if engine.seq != snapshotter.last_seq:
            await write_last_snapshot(storage, engine, retention)


async def _check_address(settings: Settings) -> None:
    """Say that the address can't be had before a long recovery, not after it."""
    try:
        listeners = await trio.open_tcp_listeners(settings.port, host=settings.host)
    except OSError as error:
        raise _unavailable(settings, error) from error
    for listener in listeners:
        await listener.aclose()


def _unavailable(settings: Settings, error: OSError) -> AddressUnavailable:
    where = f"{settings.host}:{settings.port}"
    return AddressUnavailable(
        f"can't listen on {where}: {error.strerror or error}. Choose another --host or --port."
    )


async def _open_doors(
    settings: Settings, doors: trio.Nursery, serving: Callable[..., Awaitable[None]]
) -> str:
    """Start serving; returns the address. Raises `AddressUnavailable`."""
    try:
        address: str = await doors.start(serving)
    except OSError as error:
        raise _unavailable(settings, error) from error
    return address


async def _snapshots(
    snapshotter: Snapshotter, metrics: Metrics, *, task_status: trio.TaskStatus[trio.CancelScope]
) -> None:
    """Take snapshots until the scope that this is started with is cancelled."""
    with trio.CancelScope() as scope:
        task_status.started(scope)
        await restarting("snapshotter", snapshotter.run, metrics, final=(LogFailed,))


async def _configure(settings: Settings, exchange: Exchange, partition: Partition) -> None:
    """Bring the state's configuration to what the settings ask for. Raises if it is refused."""
    wanted = wanted_configuration(settings, partition.engine)
    changes = configuration_changes(wanted, partition.engine)
    if not changes:
        return
    outcome = await exchange.submit(wanted)
    event = outcome.record.events[0]
    if isinstance(event, CommandRefused):
        log.error(events.CONFIGURATION_REFUSED, **changes)
        raise ConfigurationRefused(
            f"{reasons.NAMES[event.reason]}: tick and lot sizes can't change while orders are open "
            f"({', '.join(f'{name}: {change}' for name, change in changes.items())}). "
            "Cancel the open orders first, or put the old sizes back."
        )
    log.info(events.CONFIGURATION_CHANGED, **changes)


def _open_directory(wal_dir: str) -> PosixStorage:
    try:
        return PosixStorage(wal_dir, create=True)
    except OSError as error:
        problem = f"wal_dir: {wal_dir}: {error.strerror}"
        if error.errno in DISK_ERRORS and Path(wal_dir).is_dir():
            raise LogFailed(problem) from error
        raise SettingsError(problem) from error


def stream_limits(settings: Settings) -> StreamLimits:
    """What followers may ask for."""
    return StreamLimits(
        connections_max=settings.stream_connections_max,
        subscriptions_max=settings.stream_subscriptions_max,
        resume_records_max=settings.stream_resume_records_max,
    )


def _watch(metrics: Metrics, partition: Partition, streams: Streams) -> None:
    """Let the metrics look at what is here anyway."""
    engine, gate = partition.engine, partition.gate
    metrics.gauge("sequence", "Newest record decided.", lambda: engine.seq)
    metrics.gauge("durable_sequence", "Newest durable record.", lambda: gate.durable)
    metrics.gauge("durable_lag", "Records not durable yet.", lambda: engine.seq - gate.durable)
    metrics.gauge("input_channel_waiting", "Commands not matched yet.", partition.waiting)
    metrics.gauge("open_orders", "Orders in the books.", lambda: engine.orders.open_count)
    metrics.gauge("idempotency_keys", "Keys remembered.", lambda: len(engine.keys))
    metrics.gauge("stream_connections", "Who follows.", lambda: streams.connections)
    metrics.gauge("stream_subscriptions", "What they follow.", lambda: streams.subscriptions)
    metrics.depth = lambda: [
        (name, side.side, len(side))
        for name, book in engine.books.items()
        for side in (book.bids, book.asks)
    ]


def wall_clock() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000
