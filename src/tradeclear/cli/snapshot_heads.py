"""What the first chunk of a snapshot tells: seq, time, instruments. The long tables stay unread."""

from collections.abc import Iterable, Iterator
from contextlib import closing

import msgspec

from tradeclear.core.state import Head, StateDamaged
from tradeclear.model.units import Micros, Seq
from tradeclear.wal import snapshots
from tradeclear.wal.errors import SnapshotDamaged, SnapshotNotFound
from tradeclear.wal.storage import Storage

_decode = msgspec.msgpack.Decoder(tuple[str, Head]).decode


def read_head(storage: Storage, seq: Seq) -> Head:
    """The head of the snapshot of `seq`.

    Raises `SnapshotDamaged`, `SnapshotNotFound`, `StateDamaged`.
    """
    with closing(snapshots.read(storage, seq)) as reader:
        try:
            return _decode(next(reader.chunks(), b""))[1]
        except msgspec.MsgspecError as error:
            raise StateDamaged(f"{reader.name}: the head can't be read: {error}") from error


def head_before(storage: Storage, seq: Seq) -> Head | None:
    """The head of the newest good snapshot of a state before record `seq`."""
    return _first_good(storage, (s for s in reversed(snapshots.seqs(storage)) if s < seq))


def head_after(storage: Storage, seq: Seq) -> Head | None:
    """The head of the oldest good snapshot of `seq` or later."""
    return _first_good(storage, (s for s in snapshots.seqs(storage) if s >= seq))


def seqs_until(storage: Storage, *, seq: Seq, time: Micros | None) -> Iterator[Seq]:
    """Seqs of the snapshots of states at or before a place, newest first; damaged ones too."""
    for found in reversed(snapshots.seqs(storage)):
        if found <= seq and (time is None or not _is_later(storage, found, time)):
            yield found


def _is_later(storage: Storage, seq: Seq, time: Micros) -> bool:
    try:
        return read_head(storage, seq).time > time
    except (SnapshotDamaged, SnapshotNotFound, StateDamaged):
        return False


def _first_good(storage: Storage, seqs: Iterable[Seq]) -> Head | None:
    for seq in seqs:
        try:
            return read_head(storage, seq)
        except (SnapshotDamaged, SnapshotNotFound, StateDamaged, OSError):
            continue
    return None
