"""What of the log and its snapshots may go: nothing, unless the settings say so."""

from functools import partial
from typing import Final

from tradeclear.config.settings import Settings
from tradeclear.core.engine import Engine
from tradeclear.pipeline.ports import Threads
from tradeclear.pipeline.worker import THREADS
from tradeclear.telemetry.events import LOG_PRUNED
from tradeclear.telemetry.logs import log as logger
from tradeclear.wal import snapshots
from tradeclear.wal.log import Log
from tradeclear.wal.storage import Storage


class Retention:
    """Prunes after a snapshot: old snapshots, and segments that no snapshot or key needs."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        log: Log,
        engine: Engine,
        threads: Threads = THREADS,
    ) -> None:
        self._bytes_max: Final = settings.log_retention_bytes_max
        self._snapshots_kept: Final = settings.snapshots_kept
        self._storage: Final = storage
        self._log: Final = log
        self._engine: Final = engine
        self._threads: Final = threads

    async def prune(self) -> None:
        """Remove what is not needed. An error of the disk is final, as any of the log."""
        await self._threads.run_sync(partial(self._prune, self._engine.keys.oldest_seq()))

    def _prune(self, oldest_key_seq: int | None) -> None:
        snapshots.keep_newest(self._storage, self._snapshots_kept)
        if not self._bytes_max:
            return
        segments = self._log.segments()
        total = sum(segment.bytes for segment in segments)
        needed = min(snapshots.seqs(self._storage), default=0) + 1
        if oldest_key_seq is not None:
            needed = min(needed, oldest_key_seq)
        below = 0
        for segment in segments:
            if total <= self._bytes_max or segment.last_seq >= needed:
                break
            total -= segment.bytes
            below = segment.last_seq + 1
        if below:
            logger.info(LOG_PRUNED, segments=list(self._log.prune(below)), below_seq=below)
