"""Every damage of the matrix, by its number: what the directory holds then, and what must come.

A class is a kind of damage on one specimen. Its cases are made one by one when their number comes
up, so that a part of the matrix costs only that part.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from msgspec import Struct

from tradeclear.testing.damage_log import Specimen, specimens
from tradeclear.testing.damage_mishaps import mishaps
from tradeclear.testing.damage_oracle import (
    Expected,
    changed,
    cut,
    refused,
    snapshot_damaged,
    torn,
    whole,
)

SCRIBBLES: Final = 2_000
SCRIBBLE_BYTES_MAX: Final = 600
PAGE_BYTES: Final = 512
ZEROS_APPENDED: Final = (*range(1, 65), 4_096, 65_536)


class Case(Struct, frozen=True):
    """One damage: the directory, what must come of it, and how to call it."""

    label: str
    files: dict[str, bytes]
    expected: Expected


def never(number: int) -> bool:
    """A case that a sample may leave out."""
    return False


class Class(Struct, frozen=True):
    """A kind of damage on one specimen, in `size` cases; `crucial` ones are never left out."""

    kind: str
    specimen: Specimen
    size: int
    case: Callable[[int], Case]
    crucial: Callable[[int], bool] = never


def classes(seed: int) -> list[Class]:
    """The whole matrix of a seed."""
    all_specimens = specimens(seed)
    log, snapshots = all_specimens["log"], all_specimens["snapshots"]
    late, pruned, rotated = (all_specimens[name] for name in ("late", "pruned", "rotated"))
    return [
        truncations(log, log.segments, tail=True),
        truncations(snapshots, snapshots.snapshots),
        truncations(late, late.segments[-1:]),
        truncations(pruned, pruned.snapshots),
        truncations(rotated, rotated.segments[-2:]),
        flips(log, log.segments, tail=True),
        flips(snapshots, snapshots.snapshots),
        flips(late, late.segments[-1:]),
        flips(pruned, pruned.snapshots),
        one_flip_a_byte(snapshots, snapshots.segments),
        one_flip_a_byte(rotated, rotated.segments[-2:]),
        zeros_to_the_end(log),
        zeros_to_the_end(late),
        *(zero_pages(each) for each in all_specimens.values()),
        *(appended_zeros(each) for each in all_specimens.values()),
        *(scribbles(each, seed) for each in all_specimens.values()),
        *(_listed(each, mishaps(all_specimens, each)) for each in all_specimens.values()),
    ]


def truncations(specimen: Specimen, names: Sequence[str], *, tail: bool = False) -> Class:
    """Each file cut to each length below its own; with `tail`, all of the last are crucial."""
    places = Bytes(specimen, names)

    def case(number: int) -> Case:
        name, length = places[number]
        files = {**specimen.files, name: specimen.files[name][:length]}
        if name in specimen.snapshots:
            offset = specimen.place_of(name, length).offset
            expected = snapshot_damaged(specimen, files, name, offset)
        else:
            expected = cut(specimen, files, name, length)
        return Case(f"{name} cut to {length} bytes", files, expected)

    return Class("truncation", specimen, len(places), case, places.in_last_file if tail else never)


def flips(specimen: Specimen, names: Sequence[str], *, tail: bool = False) -> Class:
    """Each bit of each file turned over; with `tail`, those of the last two frames are crucial."""
    places = Bytes(specimen, names)

    def case(number: int) -> Case:
        return flip(specimen, *places[number // 8], number % 8)

    return Class(
        "bit flip",
        specimen,
        8 * len(places),
        case,
        (lambda number: places.in_last_two_frames(number // 8)) if tail else never,
    )


def one_flip_a_byte(specimen: Specimen, names: Sequence[str]) -> Class:
    """One bit of each byte of each file turned over."""
    places = Bytes(specimen, names)

    def case(number: int) -> Case:
        return flip(specimen, *places[number], number % 8)

    return Class("a bit of each byte", specimen, len(places), case)


def flip(specimen: Specimen, name: str, at: int, bit: int) -> Case:
    """One bit turned over."""
    data = specimen.files[name]
    flipped = b"".join((data[:at], bytes((data[at] ^ 1 << bit,)), data[at + 1 :]))
    return overwritten(specimen, name, at, at + 1, flipped, f"bit {bit} of byte {at}")


def overwritten(specimen: Specimen, name: str, at: int, end: int, data: bytes, what: str) -> Case:
    """A file of the same length, with other bytes from `at` to `end`, as far as they are others."""
    files = {**specimen.files, name: data}
    was = specimen.files[name]
    first = next((i for i in range(at, end) if was[i] != data[i]), None)
    if first is None:
        expected = whole(specimen, files)
    elif name in specimen.snapshots:
        offset = specimen.place_of(name, first).offset
        expected = snapshot_damaged(specimen, files, name, offset)
    else:
        expected = changed(specimen, files, name, first, end)
    return Case(f"{name}: {what}", files, expected)


def zeros_to_the_end(specimen: Specimen) -> Class:
    """The last segment with zeros from each of its bytes to its end."""
    name = specimen.segments[-1]
    data = specimen.files[name]
    size = len(data)

    def case(at: int) -> Case:
        zeroed = data[:at] + bytes(size - at)
        return overwritten(specimen, name, at, size, zeroed, f"zeros from byte {at}")

    return Class("zeros to the end", specimen, size, case)


def zero_pages(specimen: Specimen) -> Class:
    """Each page of each file turned to zeros."""
    pages = [
        (name, start, min(start + PAGE_BYTES, len(data)))
        for name, data in sorted(specimen.files.items())
        for start in range(0, len(data), PAGE_BYTES)
    ]

    def case(number: int) -> Case:
        name, start, end = pages[number]
        data = specimen.files[name]
        zeroed = data[:start] + bytes(end - start) + data[end:]
        return overwritten(specimen, name, start, end, zeroed, f"zeros at {start} to {end}")

    return Class("page of zeros", specimen, len(pages), case, lambda number: True)


def appended_zeros(specimen: Specimen) -> Class:
    """Each file made longer by zeros."""
    longer = [(name, count) for name in sorted(specimen.files) for count in ZEROS_APPENDED]

    def case(number: int) -> Case:
        name, count = longer[number]
        data = specimen.files[name]
        files = {**specimen.files, name: data + bytes(count)}
        last_seq = specimen.places[name][-1].last_seq
        if name in specimen.snapshots:
            expected = snapshot_damaged(specimen, files, name, len(data))
        elif name == specimen.segments[-1]:
            expected = torn(specimen, files, name, len(data), last_seq)
        else:
            expected = refused(specimen, files, name, len(data), last_seq)
        return Case(f"{name} with {count} zeros behind it", files, expected)

    return Class("zeros appended", specimen, len(longer), case, lambda number: True)


def scribbles(specimen: Specimen, seed: int) -> Class:
    """Random bytes over a random stretch of a random file."""
    names = sorted(specimen.files)

    def case(number: int) -> Case:
        random = Random(f"{seed} {specimen.name} {number}")
        name = random.choice(names)
        data = specimen.files[name]
        at = random.randrange(len(data))
        end = min(len(data), at + random.randint(1, SCRIBBLE_BYTES_MAX))
        drawn = random.randbytes(end - at)
        scribbled = data[:at] + drawn + data[end:]
        return overwritten(specimen, name, at, end, scribbled, f"scribbled over {at} to {end}")

    return Class("scribble", specimen, SCRIBBLES, case)


def _listed(specimen: Specimen, listed: list[tuple[str, dict[str, bytes], Expected]]) -> Class:
    cases = [Case(*each) for each in listed]
    return Class("mishap", specimen, len(cases), cases.__getitem__, lambda number: True)


class Bytes:
    """Every byte of some files, as (name, offset)."""

    def __init__(self, specimen: Specimen, names: Sequence[str]) -> None:
        self._starts: Final[list[tuple[str, int]]] = []
        self._size = 0
        frames: list[int] = []
        for name in names:
            self._starts.append((name, self._size))
            if name in specimen.segments:
                frames += [self._size + place.offset for place in specimen.places[name]]
            self._size += len(specimen.files[name])
        self._last_two: Final = frames[-2] if frames else self._size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, number: int) -> tuple[str, int]:
        for name, start in reversed(self._starts):
            if number >= start:
                return name, number - start
        raise IndexError(number)

    def in_last_file(self, number: int) -> bool:
        """Whether a byte stands in the last segment."""
        return number >= self._starts[-1][1] and self._last_two < self._size

    def in_last_two_frames(self, number: int) -> bool:
        """Whether a byte stands in the last two frames of the log."""
        return number >= self._last_two
