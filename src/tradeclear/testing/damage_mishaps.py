"""What happens to whole files: lost, swapped, copied, emptied, restored from an older copy."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TypeAlias

from msgspec.structs import replace

from tradeclear.testing.damage_log import HEAD_BYTES, Specimen, seq_of
from tradeclear.testing.damage_oracle import (
    Expected,
    newest_snapshot,
    refused,
    whole,
)

Files: TypeAlias = dict[str, bytes]
Mishap: TypeAlias = tuple[str, Files, Expected]

FRAME_BYTES_MAX = 16 * 1024 * 1024


def mishaps(specimens: Mapping[str, Specimen], specimen: Specimen) -> list[Mishap]:
    """Every mishap that fits the specimen."""
    return [
        *lost_segments(specimen),
        *lost_beginnings(specimen),
        *swapped_segments(specimen),
        *copied_segments(specimen),
        *restored_snapshots(specimen, specimens),
        *odd_ends(specimen),
        *beginnings(specimen),
    ]


def lost_segments(specimen: Specimen) -> Iterator[Mishap]:
    """Each segment but the first gone: the seal before it names it."""
    for name in specimen.segments[1:]:
        files = _without(specimen.files, name)
        yield f"{name} lost", files, refused(specimen, files, name, 0, seq_of(name) - 1)


def lost_beginnings(specimen: Specimen) -> Iterator[Mishap]:
    """The first segments gone: as if pruned if a snapshot reaches so far, else refused."""
    for number in range(1, len(specimen.segments)):
        lost, first = specimen.segments[:number], specimen.segments[number]
        files = _without(specimen.files, *lost)
        covered = newest_snapshot(specimen)
        if covered + 1 >= seq_of(first):
            expected = whole(specimen, files)
        else:
            expected = refused(specimen, files, first, 0, covered)
        yield f"the first {number} segments lost", files, expected


def swapped_segments(specimen: Specimen) -> Iterator[Mishap]:
    """Two segments under each other's name: the first of them is not what it says."""
    for one, other in combinations(specimen.segments, 2):
        files = {**specimen.files, one: specimen.files[other], other: specimen.files[one]}
        yield f"{one} and {other} swapped", files, refused(specimen, files, one, 0, seq_of(one) - 1)


def copied_segments(specimen: Specimen) -> Iterator[Mishap]:
    """Each segment a second time: under a name that none expects, and behind the log's end."""
    last = specimen.segments[-1]
    for name in specimen.segments:
        data = specimen.files[name]
        if name != last:
            stray = f"wal-{seq_of(name) + 1:020d}.log"
            files = {**specimen.files, stray: data}
            last_seq = specimen.places[name][-1].last_seq
            yield f"{name} also as {stray}", files, refused(specimen, files, stray, 0, last_seq)
        after = f"wal-{specimen.last_seq + 1:020d}.log"
        if len(data) > HEAD_BYTES and after not in specimen.files:
            files = {**specimen.files, after: data}
            yield f"{name} also as {after}", files, _refused_at_end(specimen, files)
        files = {**specimen.files, last: specimen.files[last] + data}
        yield f"{name} behind {last}", files, _refused_at_end(specimen, files)
    first = specimen.segments[0]
    if seq_of(first) > 1:
        before = f"wal-{seq_of(first) - 1:020d}.log"
        files = {**specimen.files, before: specimen.files[first]}
        yield (
            f"{first} also as {before}",
            files,
            refused(specimen, files, before, 0, seq_of(first) - 2),
        )


def restored_snapshots(specimen: Specimen, others: Mapping[str, Specimen]) -> Iterator[Mishap]:
    """Snapshots gone, older, newer than the log, and under a wrong name."""
    log = {name: specimen.files[name] for name in specimen.segments}
    begins = seq_of(specimen.segments[0])
    known = {n: data for each in others.values() for n, data in each.files.items()}
    for name in sorted(n for n in known if n.startswith("snapshot")):
        files = {**log, name: known[name]}
        covered = seq_of(name)
        if covered > specimen.last_seq:
            expected = _refused_at_end(specimen, files)
        elif covered + 1 < begins:
            expected = refused(specimen, files, specimen.segments[0], 0, covered)
        else:
            expected = whole(specimen, files)
        yield f"{name} alone", files, expected
        wrong = f"snapshot-{covered + 1:020d}.snap"
        files = {**log, wrong: known[name]}
        if begins <= 1 and covered < specimen.last_seq:
            expected = replace(
                whole(specimen, files), outcome="passed over", snapshots=((wrong, 0),)
            )
            yield f"{name} as {wrong}", files, expected
    if begins > 1:
        yield "no snapshot", log, refused(specimen, log, specimen.segments[0], 0, 0)
    else:
        yield "no snapshot", log, whole(specimen, log)


def odd_ends(specimen: Specimen) -> Iterator[Mishap]:
    """What stands behind the last segment."""
    last = specimen.segments[-1]
    data = specimen.files[last]
    if len(data) > HEAD_BYTES:
        start = specimen.places[last][-1].offset
        files = {**specimen.files, last: data + data[start:]}
        yield "the last frame twice", files, _refused_at_end(specimen, files)
    files = {**specimen.files, last: data + bytes(FRAME_BYTES_MAX + 1)}
    yield "more zeros than a frame has", files, _refused_at_end(specimen, files)
    following = f"wal-{specimen.last_seq + 1:020d}.log"
    for length in (0, 1, HEAD_BYTES) if following not in specimen.files else ():
        files = {**specimen.files, following: specimen.files[last][:length]}
        unborn = replace(whole(specimen, files), files=specimen.files)
        yield f"an unborn segment of {length} bytes", files, unborn
    other = f"wal-{specimen.last_seq + 2:020d}.log"
    files = {**specimen.files, other: b""}
    yield "an empty segment that none expects", files, _refused_at_end(specimen, files)
    files = {**specimen.files, f"{following}.tmp": b"half", "notes.txt": b"mine"}
    kept = {**specimen.files, "notes.txt": b"mine"}
    yield "leftovers and strangers", files, replace(whole(specimen, files), files=kept)


def beginnings(specimen: Specimen) -> Iterator[Mishap]:
    """A log whose creation was cut short: it has no record that could be lost."""
    first = specimen.segments[0]
    if seq_of(first) != 1:
        return
    head = specimen.files[first][:HEAD_BYTES]
    born = {first: head}
    yield "an empty directory", {}, Expected(outcome="whole", last_seq=0, files=born)
    for length in range(HEAD_BYTES + 1):
        files = {first: head[:length]}
        yield (
            f"a first segment of {length} bytes",
            files,
            Expected(outcome="whole", last_seq=0, files=born),
        )


def _refused_at_end(specimen: Specimen, files: Files) -> Expected:
    """The log is whole up to the end of its last segment, and there it is refused."""
    last = specimen.segments[-1]
    offset = len(specimen.files[last])
    return refused(specimen, files, last, offset, specimen.last_seq)


def _without(files: Files, *names: str) -> Files:
    return {name: data for name, data in files.items() if name not in names}
