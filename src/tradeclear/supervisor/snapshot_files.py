"""Snapshots of a log directory: written from an engine, or by a child process from the log itself.

The child (`python -m tradeclear.supervisor.snapshot_files DIRECTORY SEQ`) recovers to `SEQ` as a
restart would and writes the state down. So the matcher never stops for a snapshot, and a
snapshot is only ever made of what the log says. The measurements: docs/decisions/0003-snapshots.md.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import Any, Final

import msgspec
import trio

from tradeclear.core.engine import Engine
from tradeclear.core.state import StateHash, dump
from tradeclear.model.errors import TradeclearError
from tradeclear.model.units import Seq
from tradeclear.pipeline.snapshotter import SnapshotInfo
from tradeclear.supervisor.startup import recover
from tradeclear.wal import snapshots
from tradeclear.wal.cursor import frames_between
from tradeclear.wal.errors import SnapshotDamaged, SnapshotFailed, SnapshotNotFound
from tradeclear.wal.posix import PosixStorage
from tradeclear.wal.storage import Storage

NICENESS: Final = 10


def utc_now() -> datetime:
    """The wall clock, for what people read."""
    return datetime.now(UTC)


def write_snapshot(
    storage: Storage,
    engine: Engine,
    started: float,
    go_on: Callable[[], None] = lambda: None,
    *,
    seconds: Callable[[], float] = perf_counter,
    now: Callable[[], datetime] = utc_now,
) -> SnapshotInfo:
    """Write the state of `engine`; durable when it returns. Blocking. Raises `SnapshotFailed`.

    `started` is when the making began, by `seconds`; `go_on` is asked before each chunk and
    may raise.
    """
    state = StateHash()

    def meta() -> dict[str, Any]:
        return {
            "state_hash": state.hexdigest(),
            "engine_version": engine.versions[0],
            "codec_version": engine.versions[1],
            "created_at": now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "duration_s": round(seconds() - started, 6),
        }

    def chunks() -> Iterator[bytes]:
        for chunk in state.passing(dump(engine)):
            go_on()
            yield chunk

    written = snapshots.write(storage, engine.seq, chunks(), meta=meta)
    return _told(written)


def _told(written: Any) -> SnapshotInfo:
    return SnapshotInfo(
        seq=written.seq,
        file=written.name,
        bytes=written.bytes,
        duration_s=float(written.meta["duration_s"]),
        state_hash=str(written.meta["state_hash"]),
        created_at=str(written.meta["created_at"]),
    )


def list_snapshots(storage: Storage) -> list[SnapshotInfo]:
    """The snapshots that can be read, newest first. Blocking."""
    found = []
    for seq in reversed(snapshots.seqs(storage)):
        try:
            with closing(snapshots.read(storage, seq)) as reader:
                found.append(_told(reader.info))
        except (SnapshotDamaged, SnapshotNotFound, KeyError):
            continue
    return found


def write_replica(
    storage: Storage,
    seq: Seq,
    go_on: Callable[[], None],
    *,
    seconds: Callable[[], float] = perf_counter,
    now: Callable[[], datetime] = utc_now,
) -> SnapshotInfo:
    """Recover to the durable record `seq`, beside the writer, and write the state. Blocking.

    Raises `SnapshotFailed`, and what recovery raises. `go_on` is asked now and then and may raise.
    """
    started = seconds()
    recovered = recover(
        storage,
        lambda from_seq: frames_between(storage, from_seq, seq) if from_seq <= seq else (),
        last_seq=seq,
        progress=lambda _seq: go_on(),
    )
    return write_snapshot(storage, recovered.engine, started, go_on, seconds=seconds, now=now)


class ReplicaSnapshots:
    """Makes snapshots in a child process that replays the log beside the running exchange."""

    def __init__(self, storage: PosixStorage) -> None:
        self._storage: Final = storage

    async def make(self, seq: Seq) -> SnapshotInfo:
        """Have the state after the durable record `seq` written. Raises `SnapshotFailed`.

        Cancelled, the child is ended and no snapshot is left.
        """
        command = [sys.executable, "-m", __name__, self._storage.directory, str(seq)]
        done = await trio.run_process(
            command, capture_stdout=True, capture_stderr=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode != 0:
            problem = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise SnapshotFailed(f"the snapshot process exited with {done.returncode}: {problem}")
        return msgspec.json.decode(done.stdout, type=SnapshotInfo)

    async def list(self) -> list[SnapshotInfo]:
        """The snapshots on disk, newest first."""
        return await trio.to_thread.run_sync(partial(list_snapshots, self._storage))


def main() -> None:
    """The child: write the snapshot, print what it is as JSON."""
    os.nice(NICENESS)
    storage = PosixStorage(sys.argv[1])
    parent = os.getppid()

    def end_with_parent() -> None:
        if os.getppid() != parent:
            sys.exit("the exchange is gone: another one may be writing here by now")

    try:
        info = write_replica(storage, int(sys.argv[2]), end_with_parent)
    except TradeclearError as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(info))


if __name__ == "__main__":
    main()
