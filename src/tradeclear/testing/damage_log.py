"""The logs that are damaged, and what is known about them from their making.

A specimen is a real log: the engine's own records of a seeded crowd, written by `Log` in group
commits of 1 to 8 records, with three snapshots. Where its frames begin and end is read off the
bytes by docs/wal-format.md alone, not by the code that is being tested.
"""

from bisect import bisect_right
from collections.abc import Iterator
from random import Random
from struct import unpack_from
from time import perf_counter
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tradeclear.core.engine import Engine
from tradeclear.core.state import state_hash
from tradeclear.model.commands import AmendOrder, CancelOrder, Command, PlaceOrder
from tradeclear.model.errors import KeyReused
from tradeclear.model.units import Micros
from tradeclear.supervisor.snapshot_files import write_snapshot
from tradeclear.testing.commands import commands
from tradeclear.testing.damage_storage import DamageStorage
from tradeclear.wal import Log
from tradeclear.wal.codec import encode_record

LOG_BYTES: Final = 64 * 1024
SEGMENT_BYTES_MAX: Final = 15 * 1024
"""So 64 KiB are four segments and the beginning of a fifth."""
COMMIT_RECORDS_MAX: Final = 8
ID_LENGTH: Final = 36
"""Order ids as long as UUIDs are."""
SNAPSHOTS_AT: Final = (24 * 1024, 56 * 1024, 62 * 1024)
"""Bytes of log after which a snapshot is taken: the last is in the last segment."""

HEAD, RECORDS, SEAL = 1, 2, 3
HEAD_BYTES: Final = 48
SEAL_BYTES: Final = 60


class Place(Struct, frozen=True):
    """Where a frame stands, what kind it is, and the last seq of the log once it is read."""

    offset: int
    end: int
    kind: int
    last_seq: int


class Specimen(Struct, frozen=True):
    """A whole directory. `segments` and `snapshots` are names, oldest first.

    `places` are the frames of every file; `hashes` the state's after each seq at which a frame
    ends.
    """

    name: str
    files: dict[str, bytes]
    places: dict[str, tuple[Place, ...]]
    hashes: dict[int, str]

    @property
    def segments(self) -> list[str]:
        return sorted(name for name in self.files if name.endswith(".log"))

    @property
    def snapshots(self) -> list[str]:
        return sorted(name for name in self.files if name.endswith(".snap"))

    @property
    def last_seq(self) -> int:
        """Seq of the last record."""
        return self.places[self.segments[-1]][-1].last_seq

    def place_of(self, name: str, at: int) -> Place:
        """The frame of file `name` that holds byte `at`."""
        places = self.places[name]
        return places[bisect_right(places, at, key=lambda place: place.offset) - 1]

    def having(self, name: str, *files: str) -> "Specimen":
        """The same history with these of its files only."""
        return self.of(name, {file: self.files[file] for file in files})

    def of(self, name: str, files: dict[str, bytes]) -> "Specimen":
        """The same history in these files."""
        places = {file: places_of(file, data) for file, data in files.items()}
        return Specimen(name, files, places, self.hashes)


def seq_of(name: str) -> int:
    """The number in a file's name."""
    return int(name.partition("-")[2].partition(".")[0])


def places_of(name: str, data: bytes) -> tuple[Place, ...]:
    """Where the frames of a whole file stand, from the lengths in their headers alone."""
    places: list[Place] = []
    at = 0
    last_seq = seq_of(name) - 1 if name.startswith("wal") else seq_of(name)
    while at < len(data):
        kind, length, count = unpack_from("<III", data, at + 4)
        last_seq += count if kind == RECORDS else 0
        places.append(Place(at, at + 32 + length, kind, last_seq))
        at = places[-1].end
    assert at == len(data), f"{name} does not end with a frame"
    return tuple(places)


def specimens(seed: int) -> dict[str, Specimen]:
    """The directories, by name: the same for the same seed, but for the times in snapshots.

    `log` has no snapshot, so that a start reads all of it; `snapshots` has two before its last
    segment, `late` has one in it; `pruned` begins after its first two segments, so that only the
    newer of the two snapshots reaches back to it; `rotated` is `log` up to the head of its last
    segment, as a crash at the end of a rotation leaves it.
    """
    whole = _write(seed)
    segments, (older, newer, late) = whole.segments, whole.snapshots
    rotated = {name: whole.files[name] for name in segments}
    rotated[segments[-1]] = rotated[segments[-1]][:HEAD_BYTES]
    return {
        "log": whole.having("log", *segments),
        "snapshots": whole.having("snapshots", *segments, older, newer),
        "late": whole.having("late", *segments, late),
        "pruned": whole.having("pruned", *segments[2:], newer),
        "rotated": whole.of("rotated", rotated),
    }


def _write(seed: int) -> Specimen:
    """Trade until the log is large enough, with a snapshot here and there."""
    random = Random(seed)
    storage, engine = DamageStorage(), Engine()
    log = Log.open(storage, segment_bytes_max=SEGMENT_BYTES_MAX)
    hashes = {0: state_hash(engine)}
    planned = list(SNAPSHOTS_AT)
    stream = _new_commands(engine, seed)
    size = 0
    while size < LOG_BYTES:
        first_seq = engine.seq + 1
        records = []
        for _ in range(random.randint(1, COMMIT_RECORDS_MAX)):
            now, command = next(stream)
            seq = engine.seq + 1
            records.append(encode_record((seq, now, command, engine.apply(seq, now, command))))
        log.append(first_seq, records)
        hashes[engine.seq] = state_hash(engine)
        size = sum(len(data) for name, data in storage.files.items() if name.startswith("wal"))
        if planned and size >= planned[0]:
            planned.pop(0)
            write_snapshot(storage, engine, perf_counter())
    log.close()
    return Specimen("whole", {}, {}, hashes).of("whole", storage.files)


def _new_commands(engine: Engine, seed: int) -> Iterator[tuple[Micros, Command]]:
    """The crowd's commands without those that repeat a key: what a matcher would log."""
    for now, command in commands(seed):
        used = command.idempotency
        try:
            if used is None or engine.find_duplicate(used) is None:
                yield now, _with_long_ids(command)
        except KeyReused:
            continue


def _with_long_ids(command: Command) -> Command:
    if isinstance(command, PlaceOrder | CancelOrder | AmendOrder):
        return replace(command, order_id=command.order_id.rjust(ID_LENGTH, "0"))
    return command
