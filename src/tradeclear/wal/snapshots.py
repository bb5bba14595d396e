"""Snapshots: the state after a record, in a file that is there whole or not at all.

Written under a temporary name, synced, renamed, and the directory synced; only then does `write`
return, and only then may the log before it be pruned. A snapshot can be hundreds of megabytes: it
is written and read chunk by chunk, in memory that does not grow with it.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress

from msgspec import Struct

from tradeclear.wal.errors import Damage, LogFailed, SnapshotDamaged, SnapshotFailed
from tradeclear.wal.names import TEMPORARY_SUFFIX, snapshot_name, snapshot_seqs
from tradeclear.wal.snapshot_file import SnapshotInfo, SnapshotReader, SnapshotWriter
from tradeclear.wal.storage import Storage


class Newest(Struct, frozen=True, kw_only=True):
    """The snapshot to recover from, None for an empty state; `damaged` ones were passed over."""

    info: SnapshotInfo | None
    damaged: tuple[Damage, ...]


def write(
    storage: Storage,
    seq: int,
    chunks: Iterable[bytes],
    *,
    meta: Mapping[str, object] | Callable[[], Mapping[str, object]],
) -> SnapshotInfo:
    """Write the state after record `seq`; durable, with its name, when it returns.

    `chunks` of at most `payload_bytes_max` bytes come back from `read` as they were given. `meta`
    is anything JSON can hold, looked at (or called) after the last chunk. Replaces a snapshot of
    the same seq. `SnapshotFailed` when the disk would not have it: the older ones stand.
    `LogFailed` when the directory can't be synced: stop. An error from `chunks` or `meta` comes
    through; whatever is raised, and after a crash, only a temporary file is left, or nothing.
    """
    name = snapshot_name(seq)
    temporary = name + TEMPORARY_SUFFIX
    try:
        if temporary in storage.names():
            storage.unlink(temporary)
        info = _write_file(storage, temporary, seq, chunks, meta)
        storage.rename(temporary, name)
    except Exception as error:
        with suppress(OSError):
            storage.unlink(temporary)
        if isinstance(error, OSError):
            raise SnapshotFailed(f"{storage.directory}: {name}: {error}") from error
        raise
    _sync_names(storage)
    return info


def read(storage: Storage, seq: int) -> SnapshotReader:
    """Open the snapshot of `seq`: its `info` at once, then its `chunks()`, verified as they come.

    `SnapshotNotFound`; `SnapshotDamaged`, here or in the middle of the chunks. Close it.
    """
    return SnapshotReader(storage, seq)


def verify(storage: Storage, seq: int) -> SnapshotInfo:
    """Read the snapshot of `seq` whole and throw it away. Raises as `read` does."""
    with closing(read(storage, seq)) as snapshot:
        for _ in snapshot.chunks():
            pass
        return snapshot.info


def seqs(storage: Storage) -> list[int]:
    """List the seqs of the snapshots, oldest first, valid or not."""
    return snapshot_seqs(storage.names())


def newest_valid(storage: Storage, *, log_first_seq: int) -> Newest:
    """Find the newest snapshot that is whole and that the log reaches back to.

    Reads it once whole. When none is and the log does not begin with record 1: `SnapshotDamaged`
    with the newest one's damage, for then no state can be had.
    """
    damaged: list[Damage] = []
    for seq in reversed(seqs(storage)):
        if seq + 1 < log_first_seq:
            break
        try:
            return Newest(info=verify(storage, seq), damaged=tuple(damaged))
        except SnapshotDamaged as error:
            damaged.append(error.damage)
    if log_first_seq > 1 and damaged:
        raise SnapshotDamaged(damaged[0])
    return Newest(info=None, damaged=tuple(damaged))


def keep_newest(storage: Storage, keep: int) -> tuple[str, ...]:
    """Remove all but the newest `keep` snapshots, durably; return the names that went.

    Call it after `write` has returned. `SnapshotFailed` or `LogFailed` as in `write`.
    """
    if keep < 1:
        raise ValueError("at least one snapshot is kept")
    going = tuple(snapshot_name(seq) for seq in seqs(storage)[:-keep])
    try:
        for name in going:
            storage.unlink(name)
    except OSError as error:
        raise SnapshotFailed(f"{storage.directory}: {error}") from error
    if going:
        _sync_names(storage)
    return going


def _write_file(
    storage: Storage,
    name: str,
    seq: int,
    chunks: Iterable[bytes],
    meta: Mapping[str, object] | Callable[[], Mapping[str, object]],
) -> SnapshotInfo:
    with closing(storage.create(name)) as file:
        writer = SnapshotWriter(file, seq)
        for chunk in chunks:
            writer.add(chunk)
        return writer.finish(dict(meta() if callable(meta) else meta))


def _sync_names(storage: Storage) -> None:
    try:
        storage.fsync_directory()
    except OSError as error:
        raise LogFailed(f"{storage.directory}: {error}") from error
