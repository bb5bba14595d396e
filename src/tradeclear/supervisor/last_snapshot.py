"""An orderly stop ends with the state as a snapshot, which spares the next start the replay."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from tradeclear.core.engine import Engine
from tradeclear.pipeline.ports import Threads
from tradeclear.pipeline.worker import THREADS
from tradeclear.supervisor.retention import Retention
from tradeclear.supervisor.snapshot_files import utc_now, write_snapshot
from tradeclear.telemetry.events import SNAPSHOT_FAILED, SNAPSHOT_WRITTEN
from tradeclear.telemetry.logs import log
from tradeclear.wal.errors import SnapshotFailed
from tradeclear.wal.storage import Storage


async def write_last_snapshot(
    storage: Storage,
    engine: Engine,
    retention: Retention,
    *,
    threads: Threads = THREADS,
    now: Callable[[], datetime] = utc_now,
) -> None:
    """Write the state of `engine`, then prune. Without it, the log has everything all the same.

    So a snapshot that can't be written, or an old one that can't be removed, is only logged;
    `LogFailed` comes through.
    """
    write = partial(
        write_snapshot, storage, engine, threads.seconds(), seconds=threads.seconds, now=now
    )
    try:
        info = await threads.run_sync(write)
        log.info(SNAPSHOT_WRITTEN, seq=info.seq, file=info.file, state_hash=info.state_hash)
        await retention.prune()
    except SnapshotFailed as error:
        log.error(SNAPSHOT_FAILED, problem=str(error))
