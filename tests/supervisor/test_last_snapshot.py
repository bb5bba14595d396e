"""An orderly stop stays orderly when its snapshot can't be written, or an old one not removed."""

from errno import EIO

import pytest

from tradeclear.config.settings import Settings
from tradeclear.core.engine import Engine
from tradeclear.supervisor.last_snapshot import write_last_snapshot
from tradeclear.supervisor.retention import Retention
from tradeclear.testing.simulated_storage import Fault, SimulatedStorage
from tradeclear.wal import Log, LogFailed, snapshots


async def stop(*faults: str) -> list[int]:
    """Stop with an old snapshot there, the first call of each kind failing; what snapshots stay."""
    storage = SimulatedStorage()
    log = Log.open(storage)
    snapshots.write(storage, 0, [b"old"], meta={})
    failing = set(faults)

    def fail(call: str, _name: str) -> None:
        if call in failing:
            failing.discard(call)
            storage.faults[storage.calls + 1] = Fault(EIO)

    storage.watch = fail
    engine = Engine()
    engine.seq = 1
    await write_last_snapshot(
        storage, engine, Retention(Settings(snapshots_kept=1), storage, log, engine)
    )
    assert not failing
    return snapshots.seqs(storage)


async def test_snapshot_then_pruning() -> None:
    assert await stop() == [1]


async def test_snapshot_that_can_not_be_written() -> None:
    assert await stop("create") == [0]


async def test_old_snapshot_that_can_not_be_removed() -> None:
    assert await stop("unlink") == [0, 1]


async def test_failed_sync_of_the_directory_is_final() -> None:
    with pytest.raises(LogFailed):
        await stop("fsync_directory")
