"""Snapshots as the product makes them, but in this process: the child's work as a blocking call."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from tradeclear.model.errors import TradeclearError
from tradeclear.model.units import Seq
from tradeclear.pipeline.snapshotter import SnapshotInfo
from tradeclear.supervisor.snapshot_files import list_snapshots, write_replica
from tradeclear.testing.simulation.threads import SimulatedThreads
from tradeclear.testing.simulation.witness import Witness
from tradeclear.wal.errors import SnapshotFailed
from tradeclear.wal.storage import Storage


class SimulatedSnapshots:
    """See `SnapshotStore`. The witness is told of every snapshot."""

    def __init__(
        self,
        storage: Storage,
        threads: SimulatedThreads,
        clock: Callable[[], int],
        witness: Witness,
    ) -> None:
        self._storage: Final = storage
        self._threads: Final = threads
        self._clock: Final = clock
        self._witness: Final = witness

    async def make(self, seq: Seq) -> SnapshotInfo:
        """See `SnapshotStore`. Whatever ends the child is a failed snapshot to its parent."""
        self._witness.hear_answer(seq)
        write = partial(
            write_replica,
            self._storage,
            seq,
            lambda: None,
            seconds=self._threads.seconds,
            now=self.now,
        )
        try:
            info = await self._threads.run_sync(write)
        except (TradeclearError, OSError) as error:
            raise SnapshotFailed(f"the snapshot process ended: {error}") from error
        self._witness.check_snapshot(info)
        return info

    async def list(self) -> list[SnapshotInfo]:
        """See `SnapshotStore`."""
        return await self._threads.run_sync(partial(list_snapshots, self._storage))

    def now(self) -> datetime:
        """The wall clock of the simulation."""
        return datetime.fromtimestamp(self._clock() / 1_000_000, UTC)
