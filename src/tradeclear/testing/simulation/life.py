"""One life of the exchange: the supervisor's wiring without doors, from recovery to its end."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio

from tradeclear.config.settings import Settings
from tradeclear.model.events import CommandRefused
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.partition import Partition
from tradeclear.pipeline.publisher import Publisher
from tradeclear.pipeline.snapshotter import Snapshotter
from tradeclear.supervisor.last_snapshot import write_last_snapshot
from tradeclear.supervisor.restarting import restarting
from tradeclear.supervisor.retention import Retention
from tradeclear.supervisor.startup import (
    Opened,
    configuration_changes,
    open_and_recover,
    wanted_configuration,
)
from tradeclear.telemetry.metrics import Metrics
from tradeclear.testing.simulated_storage import SimulatedStorage
from tradeclear.testing.simulation.snapshot_store import SimulatedSnapshots
from tradeclear.testing.simulation.threads import SimulatedThreads
from tradeclear.testing.simulation.witness import Violation, Witness
from tradeclear.wal.errors import LogFailed
from tradeclear.wal.quarantine import Quarantine

RECORDS_MAX: Final = 1_000_000

Serve = Callable[[Exchange], Awaitable[None]]
"""What stands for the doors: runs until it is cancelled."""


class Life:
    """An exchange from its start on. `exchange` is there while it takes commands."""

    def __init__(
        self,
        *,
        storage: SimulatedStorage,
        threads: SimulatedThreads,
        clock: Callable[[], int],
        settings: Settings,
        segment_bytes_max: int,
        witness: Witness,
    ) -> None:
        self.exchange: Exchange | None = None
        self.stop: Final = trio.Event()
        self.metrics: Final = Metrics()
        self.opened: Opened | None = None
        self.learned = 0
        self._storage: Final = storage
        self._life: Final = storage.life
        self._threads: Final = threads
        self._clock: Final = clock
        self._settings: Final = settings
        self._segment_bytes_max: Final = segment_bytes_max
        self._witness: Final = witness

    @property
    def alive(self) -> bool:
        """Whether the process still runs: what a dead one says, nobody hears."""
        return self._storage.life == self._life and not self._storage.ended

    async def run(self, serve: Serve) -> None:
        """Recover and serve until `stop` is set, then end in order; or raise what ends it."""
        opened = self.opened = await self._threads.run_sync(
            partial(
                open_and_recover,
                self._storage,
                segment_bytes_max=self._segment_bytes_max,
                progress=lambda _seq, _last: None,
            )
        )
        try:
            self.learned = self._witness.check_recovery(
                opened.log, opened.recovered.engine, opened.recovered.snapshot_seq
            )
            await self._serve(opened, serve)
        finally:
            self.exchange = None
            opened.log.close()

    async def _serve(self, opened: Opened, serve: Serve) -> None:
        engine, storage, threads = opened.recovered.engine, self._storage, self._threads
        partition = Partition(
            engine=engine,
            log=opened.log,
            clock=self._clock,
            quarantine=Quarantine(storage),
            metrics=self.metrics,
            input_channel_max=self._settings.input_channel_max,
            threads=threads,
        )
        store = SimulatedSnapshots(storage, threads, self._clock, self._witness)
        retention = Retention(self._settings, storage, opened.log, engine, threads)
        snapshotter = Snapshotter(
            partition=partition,
            store=store,
            interval_s=self._settings.snapshot_interval_s,
            last_seq=opened.recovered.snapshot_seq,
            metrics=self.metrics,
            after=retention.prune,
        )
        exchange = Exchange(partition, snapshotter)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow, partition.publisher)
            nursery.start_soon(partition.run)
            await self._configure(exchange, partition)
            snapshots = trio.CancelScope()
            nursery.start_soon(self._snapshots, snapshotter, snapshots)
            async with trio.open_nursery() as doors:
                self.exchange = exchange
                doors.start_soon(serve, exchange)
                await self.stop.wait()
                exchange.stopping = True
                doors.cancel_scope.cancel()
            snapshots.cancel()
            partition.stop()
        if engine.seq != snapshotter.last_seq:
            await write_last_snapshot(storage, engine, retention, threads=threads, now=store.now)

    async def _configure(self, exchange: Exchange, partition: Partition) -> None:
        wanted = wanted_configuration(self._settings, partition.engine)
        if configuration_changes(wanted, partition.engine):
            outcome = await exchange.submit(wanted)
            if isinstance(outcome.record.events[0], CommandRefused):
                raise Violation(f"the configuration was refused: {outcome.record}")

    async def _snapshots(self, snapshotter: Snapshotter, scope: trio.CancelScope) -> None:
        with scope:
            await restarting("snapshotter", snapshotter.run, self.metrics, final=(LogFailed,))

    async def _follow(self, publisher: Publisher) -> None:
        """Hear every record that is published, when it is."""
        with publisher.subscribe(RECORDS_MAX) as subscription:
            while records := await subscription.take():
                if self.alive:
                    self._witness.hear_published(records)
