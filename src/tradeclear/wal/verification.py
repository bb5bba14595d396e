"""`verify`: read every byte of a log directory and say what is wrong, where, and what to do.

It takes no lock and changes nothing. On a live directory it checks what is there at the moment; a
frame that is being written is not an error.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from tradeclear.wal import snapshots
from tradeclear.wal.errors import Damage, SnapshotDamaged, SnapshotNotFound
from tradeclear.wal.names import segment_names
from tradeclear.wal.segment import SegmentInfo
from tradeclear.wal.snapshot_file import SnapshotInfo
from tradeclear.wal.storage import Storage
from tradeclear.wal.survey import Progress, Survey, read_segment, survey
from tradeclear.wal.verdict import TornTail

Verdict: TypeAlias = Literal["clean", "torn_tail", "damaged"]


class VerifyReport(Struct, frozen=True, kw_only=True):
    """What `verify` found.

    `verdict` is what the writer's open would find in the log: "torn_tail" is mended by it,
    "damaged" refused. `holder` is the process that has the directory open; `in_flight` the frame
    that it was writing. `last_seq` is the last good one.
    """

    verdict: Verdict
    segments: tuple[SegmentInfo, ...]
    first_seq: int
    last_seq: int
    torn: TornTail | None
    damage: Damage | None
    in_flight: TornTail | None
    holder: int | None
    snapshots: tuple[SnapshotInfo, ...]
    snapshot_damage: tuple[Damage, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing at all is wrong, snapshots included."""
        return self.verdict == "clean" and not self.snapshot_damage

    @property
    def frames(self) -> int:
        """Frames of records that were read."""
        return sum(info.frames for info in self.segments)

    @property
    def records(self) -> int:
        """Records that were read."""
        return sum(info.records for info in self.segments)

    @property
    def bytes(self) -> int:
        """Bytes of all segments."""
        return sum(info.bytes for info in self.segments)


def verify(storage: Storage, progress: Progress | None = None) -> VerifyReport:
    """Verify log and snapshots; `progress` is told of bytes done and in all after each segment.

    An `OSError` comes through where a directory or file can't be opened.
    """
    writer = storage.holder()  # asked before and after: it may come or go in between
    found = survey(storage, deep=True, progress=progress)
    holder = storage.holder() or writer
    infos, damage = _verify_snapshots(storage)
    return VerifyReport(
        verdict=_verdict(found, holder),
        segments=found.segments,
        first_seq=found.first_seq,
        last_seq=found.last_seq,
        torn=found.torn if holder is None else None,
        damage=found.damage,
        in_flight=found.torn if holder is not None else None,
        holder=holder,
        snapshots=infos,
        snapshot_damage=damage,
    )


def segments(storage: Storage) -> tuple[SegmentInfo, ...]:
    """Describe the segments, oldest first, by the ends of the sealed ones; judges nothing.

    Of a segment that is damaged or is being written: what can be read from its beginning.
    """
    infos = []
    for name in segment_names(storage.names()):
        try:
            infos.append(read_segment(storage, name, None, deep=False).info)
        except FileNotFoundError:
            continue  # pruned between the listing and the opening
    return tuple(infos)


def _verdict(found: Survey, holder: int | None) -> Verdict:
    if found.damage is not None:
        return "damaged"
    return "torn_tail" if found.torn is not None and holder is None else "clean"


def _verify_snapshots(storage: Storage) -> tuple[tuple[SnapshotInfo, ...], tuple[Damage, ...]]:
    infos, damage = [], []
    for seq in snapshots.seqs(storage):
        try:
            infos.append(snapshots.verify(storage, seq))
        except SnapshotNotFound:
            continue  # removed between the listing and the opening
        except SnapshotDamaged as error:
            damage.append(error.damage)
    return tuple(infos), tuple(damage)
