"""The state of a whole log directory, found by reading and without changing a byte.

The writer's open, `verify` and `repair` all begin with it, so they can't disagree. Shallow, it
reads the two ends of every sealed segment (is each named by the one before, is none missing?) and
all of the last one; `deep`, it reads every byte.

On a live directory the log grows, rotates and is pruned meanwhile. Therefore the end is looked at
again before anything is called damage, and names are listed when they are needed, never before.
"""

from collections.abc import Callable
from contextlib import closing, suppress
from typing import TypeAlias

from msgspec import Struct

from tradeclear.wal.errors import Damage
from tradeclear.wal.frame import SEAL
from tradeclear.wal.index import SegmentIndex
from tradeclear.wal.names import (
    segment_name,
    segment_names,
    segment_seq,
    snapshot_name,
    snapshot_seqs,
)
from tradeclear.wal.segment import HEAD_BYTES, SEAL_BYTES, SegmentInfo, SegmentReader
from tradeclear.wal.storage import File, Storage
from tradeclear.wal.verdict import (
    Ending,
    TornTail,
    damage_at,
    judge,
    missing_segment,
    remedy_of_damage,
)

Progress: TypeAlias = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class Reading(Struct, frozen=True, kw_only=True):
    """A segment, read: where it ends, what follows, and with what checksum the chain goes on."""

    info: SegmentInfo
    end: int
    last_offset: int
    checksum: int | None
    successor: str | None
    ending: Ending
    index: SegmentIndex | None = None


class Survey(Struct, frozen=True, kw_only=True):
    """A log directory: its segments, oldest first, and how it ends (see `Ending`).

    With damage, `segments` reach as far as they could be read in order.
    """

    segments: tuple[SegmentInfo, ...]
    last: Reading | None
    torn: TornTail | None = None
    damage: Damage | None = None
    unborn: str | None = None

    @property
    def first_seq(self) -> int:
        """Seq of the first record that the log holds or will hold."""
        return self.segments[0].first_seq if self.segments else 1

    @property
    def last_seq(self) -> int:
        """Seq of the last whole record; `first_seq - 1` when there is none."""
        return self.segments[-1].last_seq if self.segments else 0


def survey(storage: Storage, *, deep: bool = False, progress: Progress | None = None) -> Survey:
    """Read a log directory in order and judge how it ends. Changes nothing; `OSError` as it comes.

    `progress` is told after each segment.
    """
    snapshots = snapshot_seqs(storage.names())  # before the log: what they cover is in it by then
    readings, ending = _read_all(storage, deep=deep, progress=progress)
    found = Survey(
        segments=tuple(reading.info for reading in readings),
        last=readings[-1] if readings else None,
        torn=ending.torn,
        damage=ending.damage,
        unborn=ending.unborn,
    )
    if found.damage is not None:
        return found
    damage = _ahead_of_log(found, snapshots) or _before_log(storage, found)
    if damage is None:
        return found
    return Survey(segments=found.segments, last=found.last, damage=damage)


def read_segment(
    storage: Storage, name: str, checksum: int | None, *, deep: bool = True
) -> Reading:
    """Read one segment; `checksum` ends the chain before it, None if that is not known.

    `FileNotFoundError` if it is gone.
    """
    with closing(storage.open(name)) as file:
        reading = None if deep else _read_ends(file, name, checksum)
        return reading or _read_whole(storage, file, name, checksum)


def _read_all(
    storage: Storage, *, deep: bool, progress: Progress | None
) -> tuple[list[Reading], Ending]:
    """Follow the segments from the oldest on, each to the successor that its seal names."""
    readings: list[Reading] = []
    name = _oldest(storage)
    checksum = 0 if name == segment_name(1) else None
    total = 0 if progress is None else _bytes_of(storage)
    done = 0
    while name is not None:
        try:
            reading = _read_settled(storage, name, checksum, deep=deep)
        except FileNotFoundError:
            oldest = _oldest(storage)
            if oldest is None or oldest < name:
                return readings, Ending(damage=missing_segment(name, _last_seq(readings)))
            readings.clear()  # the writer pruned beyond the place where we read
            name, checksum = oldest, None
            continue
        if reading.ending.unborn == name:
            return readings, reading.ending
        readings.append(reading)
        done += reading.info.bytes
        if progress is not None:
            progress(done, max(done, total))
        if reading.successor is None:
            return readings, reading.ending
        stray = _stray(storage, reading)
        if stray is not None:
            return readings, Ending(damage=stray)
        name, checksum = reading.successor, reading.checksum
    return readings, Ending()


def _read_settled(storage: Storage, name: str, checksum: int | None, *, deep: bool) -> Reading:
    """Read a segment until two looks agree on what is wrong with it, if anything is."""
    reading = read_segment(storage, name, checksum, deep=deep)
    while reading.ending.damage is not None:
        again = read_segment(storage, name, checksum)
        if again.ending == reading.ending:
            break
        reading = again
    return reading


def _read_ends(file: File, name: str, checksum: int | None) -> Reading | None:
    """Read head and seal only; None unless both are there and right."""
    size = file.size()
    head = SegmentReader(file, name, checksum=checksum, chunk_bytes=HEAD_BYTES)
    seal = SegmentReader(file, name, offset=size - SEAL_BYTES, chunk_bytes=SEAL_BYTES)
    if size < HEAD_BYTES + SEAL_BYTES or head.next_frame() is None:
        return None
    frame = seal.next_frame()
    if frame is None or frame.kind != SEAL or frame.first_seq <= segment_seq(name):
        return None  # a seal that names no later segment is another's, and would lead in a circle
    info = SegmentInfo(
        name=name,
        first_seq=segment_seq(name),
        last_seq=frame.first_seq - 1,
        frames=frame.count,
        bytes=size,
        sealed=True,
    )
    return Reading(
        info=info,
        end=size,
        last_offset=frame.offset,
        checksum=frame.checksum,
        successor=segment_name(frame.first_seq),
        ending=Ending(),
    )


def _read_whole(storage: Storage, file: File, name: str, checksum: int | None) -> Reading:
    """Read and verify every frame."""
    reader = SegmentReader(file, name, checksum=checksum)
    index = SegmentIndex()
    for frame in reader.frames():
        index.note(frame.first_seq, frame.offset)
    sealed = reader.successor is not None
    ending = Ending()
    if not sealed or reader.defect is not None:
        ending = judge(storage, file, reader)
    elif reader.seal_count != reader.frames_read:
        found = f"{reader.frames_read} frames before a seal that counts {reader.seal_count}"
        ending = Ending(damage=damage_at(reader, found, expected="as many frames as it counts"))
    assert reader.next_seq is not None
    info = SegmentInfo(
        name=name,
        first_seq=segment_seq(name),
        last_seq=reader.next_seq - 1,
        frames=reader.frames_read,
        bytes=file.size(),
        sealed=sealed,
    )
    follows = sealed and ending.damage is None
    return Reading(
        info=info,
        end=reader.offset,
        last_offset=reader.last_offset,
        checksum=reader.checksum,
        successor=segment_name(reader.next_seq) if follows else None,
        ending=ending,
        index=index,
    )


def _stray(storage: Storage, reading: Reading) -> Damage | None:
    """A segment that none names, between one and its successor."""
    info = reading.info
    for name in segment_names(storage.names()):
        if info.name < name < str(reading.successor):
            return Damage(
                file=name,
                offset=0,
                expected=f"no segment between {info.name} and {reading.successor}",
                found="one",
                remedy="It is not part of this log: move it elsewhere. Nothing was changed.",
                last_good_seq=info.last_seq,
                records_hit=False,
            )
    return None


def _ahead_of_log(found: Survey, snapshots: list[int]) -> Damage | None:
    """A snapshot holds durable records only, so the log once reached at least as far."""
    if not snapshots or snapshots[-1] <= found.last_seq:
        return None
    return Damage(
        file=found.last.info.name if found.last else segment_name(1),
        offset=found.last.end if found.last else 0,
        expected=f"records up to {snapshots[-1]}, which {snapshot_name(snapshots[-1])} covers",
        found=f"a log that ends with record {found.last_seq}",
        remedy=remedy_of_damage(found.last_seq),
        last_good_seq=found.last_seq,
    )


def _before_log(storage: Storage, found: Survey) -> Damage | None:
    """A log that does not begin with record 1 was pruned, and pruning needs a snapshot."""
    snapshots = snapshot_seqs(storage.names())
    covered = max(snapshots, default=0)
    if covered + 1 >= found.first_seq:
        return None
    return Damage(
        file=found.segments[0].name,
        offset=0,
        expected=f"a log from record {covered + 1} on",
        found=f"one that begins with record {found.first_seq}, and no snapshot of what was before",
        remedy="Restore the missing segments or the snapshot from a copy. Nothing was changed.",
        last_good_seq=covered,
        records_hit=False,
    )


def _last_seq(readings: list[Reading]) -> int:
    return readings[-1].info.last_seq if readings else 0


def _oldest(storage: Storage) -> str | None:
    return next(iter(segment_names(storage.names())), None)


def _bytes_of(storage: Storage) -> int:
    """Bytes of all segments, for the progress display: what vanishes meanwhile counts nothing."""
    total = 0
    for name in segment_names(storage.names()):
        with suppress(FileNotFoundError), closing(storage.open(name)) as file:
            total += file.size()
    return total
