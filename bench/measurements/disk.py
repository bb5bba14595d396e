"""What the disk itself allows: the bytes of a commit written and synced, again and again."""

import os
import time
from pathlib import Path
from typing import NamedTuple


class Commits(NamedTuple):
    """Commits of `records` records each."""

    records: int
    commits_per_s: float

    @property
    def records_per_s(self) -> float:
        return self.records * self.commits_per_s

    def __str__(self) -> str:
        return f"{self.commits_per_s:,.0f} commits/s of {self.records}"


def commits(folder: Path, payload: bytes, records: int, seconds: float) -> Commits:
    """Commit `payload`, the bytes of `records` records, as often as the disk takes it."""
    count = 0
    with CommitFile(folder) as file:
        started = time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            file.commit(payload)
            count += 1
    return Commits(records, count / elapsed)


class CommitFile:
    """A file that grows by commits as a log does; new in `folder`, gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"disk-{time.monotonic_ns()}"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._end = 0

    def commit(self, payload: bytes) -> None:
        """Write at the end, and sync."""
        self._end += os.pwrite(self._descriptor, payload, self._end)
        os.fdatasync(self._descriptor)

    def __enter__(self) -> "CommitFile":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        self._path.unlink()
