"""What each damage must come to, by the rules on paper: docs/wal-format.md, SEMANTICS 21.

It knows where the frames stood before the damage and which bytes were changed, which the code that
is tested has to find out. So it needs no checksum and reads no frame.
"""

from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from tradeclear.model.units import Seq
from tradeclear.testing.damage_log import (
    HEAD,
    HEAD_BYTES,
    SEAL,
    SEAL_BYTES,
    Place,
    Specimen,
    seq_of,
)

COVERED_BYTES = 28
"""Of a header, up to its checksum."""

Outcome: TypeAlias = Literal["whole", "shorter", "repaired", "refused", "passed over", "not read"]
"""What a start does: it serves all of the log, or a log that ends earlier at a frame's boundary; it
cuts a torn tail; it refuses; it passes a damaged snapshot over for what is older; or the damage is
before the snapshot that it starts from, and whoever reads there is refused."""


class Expected(Struct, frozen=True, kw_only=True):
    """What must come of a damaged directory.

    `damage` is the place (file, offset) that `verify` accuses in the log, `torn` that of a torn
    tail, `snapshots` those that it accuses in snapshots. `files` is what the directory holds after
    a start.
    """

    outcome: Outcome
    last_seq: Seq
    files: dict[str, bytes]
    damage: tuple[str, int] | None = None
    torn: tuple[str, int] | None = None
    snapshots: tuple[tuple[str, int], ...] = ()


def whole(specimen: Specimen, files: dict[str, bytes]) -> Expected:
    """Nothing is wrong."""
    return Expected(outcome="whole", last_seq=specimen.last_seq, files=files)


def refused(
    specimen: Specimen, files: dict[str, bytes], name: str, offset: int, last_seq: Seq
) -> Expected:
    """The log is damaged there, and no byte is touched."""
    return Expected(outcome="refused", last_seq=last_seq, files=files, damage=(name, offset))


def changed(specimen: Specimen, files: dict[str, bytes], name: str, at: int, end: int) -> Expected:
    """Bytes from `at` to `end` of a segment are others, its length is the same."""
    place = specimen.place_of(name, at)
    before = seq_before(specimen, name, place)
    if is_torn(specimen, files[name], name, place, end):
        return torn(specimen, files, name, place.offset, before)
    expected = refused(specimen, files, name, place.offset, before)
    if is_read(specimen, files, name):
        return expected
    return replace(expected, outcome="not read")


def cut(specimen: Specimen, files: dict[str, bytes], name: str, length: int) -> Expected:
    """A segment ends after `length` bytes, fewer than it had."""
    place = specimen.place_of(name, length)
    before = seq_before(specimen, name, place)
    on_boundary = length == place.offset
    if is_torn(specimen, files[name], name, place, length):
        if on_boundary:
            return shorter(specimen, files, name, length, before)
        return torn(specimen, files, name, place.offset, before)
    return refused(specimen, files, name, place.offset, before)


def snapshot_damaged(
    specimen: Specimen, files: dict[str, bytes], name: str, offset: int
) -> Expected:
    """A snapshot is passed over, if the log reaches back to an older one, or to its beginning.

    A start reads none but the newest as long as that is good.
    """
    good = [seq_of(other) for other in specimen.snapshots if other != name]
    reaches_back = max(good, default=0) + 1 >= seq_of(specimen.segments[0])
    outcome: Outcome = "passed over" if reaches_back else "refused"
    return Expected(
        outcome=outcome if seq_of(name) > max(good, default=0) else "not read",
        last_seq=specimen.last_seq,
        files=files,
        snapshots=((name, offset),),
    )


def torn(
    specimen: Specimen, files: dict[str, bytes], name: str, offset: int, last_seq: Seq
) -> Expected:
    """What stands from `offset` on was never acknowledged: cut and kept; but not before a snapshot.

    With a torn seal goes the segment that it was to name.
    """
    if last_seq < newest_snapshot(specimen):
        return refused(specimen, files, name, offset, last_seq)
    after = _without_unborn(files, name)
    after[name] = files[name][:offset]
    after[f"{name}.{offset}.broken"] = files[name][offset:]
    return Expected(outcome="repaired", last_seq=last_seq, files=after, torn=(name, offset))


def shorter(
    specimen: Specimen, files: dict[str, bytes], name: str, length: int, last_seq: Seq
) -> Expected:
    """The log ends with a whole frame: it can't be told from one that was never longer."""
    if last_seq < newest_snapshot(specimen):
        return refused(specimen, files, name, length, last_seq)
    after = _without_unborn(files, name)
    return Expected(outcome="shorter", last_seq=last_seq, files=after)


def is_torn(specimen: Specimen, data: bytes, name: str, place: Place, end: int) -> bool:
    """Whether an interrupted write may have left this: the log's last frame, and nothing behind it.

    `place` is the first frame that is hit, `data` what the file holds now, `end` where what was
    changed or cut away ends.
    """
    if place.kind == SEAL:
        return specimen.segments[-2:-1] == [name] and _is_only_head(specimen)
    if name != specimen.segments[-1] or place.kind == HEAD:
        return False
    if len(data) < len(specimen.files[name]):
        return True
    if any(other.offset >= end for other in specimen.places[name]):
        return False
    if place is specimen.places[name][-1]:
        return True
    header = slice(place.offset, place.offset + COVERED_BYTES)
    return data[header] != specimen.files[name][header]


def is_read(specimen: Specimen, files: dict[str, bytes], name: str) -> bool:
    """Whether a start reads what is damaged in a segment.

    It reads both ends of each, and all from that on which holds the first record after the newest
    snapshot.
    """
    first = max(n for n in specimen.segments if seq_of(n) <= newest_snapshot(specimen) + 1)
    was, now = specimen.files[name], files[name]
    ends_stand = was[:HEAD_BYTES] == now[:HEAD_BYTES] and was[-SEAL_BYTES:] == now[-SEAL_BYTES:]
    return name >= first or not ends_stand or len(was) != len(now)


def newest_snapshot(specimen: Specimen) -> Seq:
    """Seq of the newest snapshot, 0 if there is none."""
    return max(map(seq_of, specimen.snapshots), default=0)


def seq_before(specimen: Specimen, name: str, place: Place) -> Seq:
    """The last seq before a frame of a segment."""
    places = specimen.places[name]
    number = places.index(place)
    return places[number - 1].last_seq if number else seq_of(name) - 1


def _is_only_head(specimen: Specimen) -> bool:
    return len(specimen.files[specimen.segments[-1]]) <= HEAD_BYTES


def _without_unborn(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    """The files without the segments behind `name`, which no seal names any more."""
    return {n: data for n, data in files.items() if not n.startswith("wal") or n <= name}
