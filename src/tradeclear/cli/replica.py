"""The state of the exchange at a place in the log, made in memory as a restart would make it.

From the newest good snapshot at or before that place, and the records since, each run again and
its events compared with the log's byte for byte.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from time import perf_counter

from msgspec import Struct

from tradeclear.cli.moments import Moment
from tradeclear.cli.progress import progress
from tradeclear.cli.snapshot_heads import seqs_until
from tradeclear.cli.wal_directory import say, torn_text
from tradeclear.core.configuring import PARTITION_TRADE_IDS
from tradeclear.core.engine import Engine
from tradeclear.core.state import StateDamaged, state_hash
from tradeclear.model.units import Micros, Seq
from tradeclear.pipeline.recovery import Diverged, from_snapshot, replay
from tradeclear.wal import snapshots
from tradeclear.wal.cursor import Cursor
from tradeclear.wal.errors import (
    Damage,
    LogDamaged,
    RecordNotFound,
    SnapshotDamaged,
    SnapshotNotFound,
)
from tradeclear.wal.frame import Frame
from tradeclear.wal.snapshot_file import SnapshotReader
from tradeclear.wal.storage import Storage
from tradeclear.wal.survey import Survey, survey


class Replica(Struct, frozen=True, kw_only=True):
    """An engine at `seq`, and how it came there: from which snapshot (0: none), records run."""

    engine: Engine
    snapshot_seq: Seq
    replayed: int
    seconds: float

    @property
    def seq(self) -> Seq:
        """The last record that it has seen."""
        return self.engine.seq

    @property
    def trades(self) -> int:
        """How many trades there were, forgotten ones too."""
        return self.engine.next_trade_id - 1 - self.engine.partition * PARTITION_TRADE_IDS


def make_replica(storage: Storage, until: Moment, *, from_start: bool = False) -> Replica:
    """Make the state after `until`, the last record included; by default at the log's end.

    Damaged snapshots are passed over, and said to be. Raises `LogDamaged`, also for a record that
    comes out differently; `OtherVersion`; `RecordPruned` when the log does not reach back to where
    it must be run from; `RecordNotFound` when it ends before `until`.
    """
    started = perf_counter()
    found = survey(storage)
    engine = Engine() if from_start else _nearest(storage, until, found.last_seq)
    snapshot_seq = engine.seq
    with progress("replaying") as show:

        def report(seq: Seq) -> None:
            show(seq - snapshot_seq, (until.seq or found.last_seq) - snapshot_seq)

        replayed = run_on(storage, engine, until=until.seq, until_time=until.time, progress=report)
    _check_reached(engine.seq, until, found)
    return Replica(
        engine=engine,
        snapshot_seq=snapshot_seq,
        replayed=replayed,
        seconds=perf_counter() - started,
    )


def _check_reached(seq: Seq, until: Moment, found: Survey) -> None:
    """The log must not end before the target, nor, where that is a time, at a damaged place."""
    if until.seq is not None and seq >= until.seq:
        return
    if found.damage is not None and seq >= found.damage.last_good_seq:
        raise LogDamaged(found.damage)
    if until.seq is not None:
        raise RecordNotFound(f"the log ends with record {seq}, before {until.seq}", until.seq)


def run_on(
    storage: Storage,
    engine: Engine,
    *,
    until: Seq | None = None,
    until_time: Micros | None = None,
    progress: Callable[[Seq], None],
) -> int:
    """Run the log's next records through `engine`. Returns how many. Raises as `make_replica`."""
    with closing(Cursor(storage, engine.seq + 1)) as cursor:
        frames = _Watched(cursor, until)
        try:
            replayed = replay(engine, frames, until=until, until_time=until_time, progress=progress)
        except Diverged as error:
            raise LogDamaged(_unlike(error, frames)) from error
        if cursor.torn is not None and storage.holder() is None:
            say(torn_text(storage, cursor.torn))
    return replayed


def snapshot_engine(storage: Storage, seq: Seq) -> Engine:
    """The engine of one snapshot.

    Raises `SnapshotDamaged`, `SnapshotNotFound`, `StateDamaged`, `Diverged`.
    """
    with closing(snapshots.read(storage, seq)) as reader:
        return from_snapshot(reader.chunks(), _noted_hash(reader))


def check_hash(storage: Storage, engine: Engine) -> None:
    """Compare the state with the snapshot of the same seq, if it is (still) there.

    Raises `Diverged`, `StateDamaged`.
    """
    try:
        reader = snapshots.read(storage, engine.seq)
    except SnapshotNotFound:
        return
    with closing(reader):
        noted, found = _noted_hash(reader), state_hash(engine)
    if noted != found:
        raise Diverged(engine.seq, f"the state hash is {found}, {reader.name} says {noted}")


def _noted_hash(reader: SnapshotReader) -> str:
    try:
        return str(reader.info.meta["state_hash"])
    except KeyError:
        raise StateDamaged(f"{reader.name} names no state hash") from None


class _Watched:
    """A cursor's frames up to the one that holds `until`; `frame` is the one given last."""

    def __init__(self, cursor: Cursor, until: Seq | None) -> None:
        self.frame: Frame | None = None
        self._cursor = cursor
        self._until = until

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._cursor.frames():
            self.frame = frame
            yield frame
            if self._until is not None and frame.last_seq >= self._until:
                return


def _unlike(error: Diverged, frames: _Watched) -> Damage:
    assert frames.frame is not None
    return Damage(
        file=frames.frame.file,
        offset=frames.frame.offset,
        expected=f"a commit that replays as it is written, record {error.seq} in it",
        found=str(error),
        remedy="Nothing was changed. Don't serve from this log: keep it, and report it.",
        last_good_seq=error.seq - 1,
    )


def _nearest(storage: Storage, until: Moment, last_seq: Seq) -> Engine:
    bound = last_seq if until.seq is None else min(until.seq, last_seq)
    for seq in seqs_until(storage, seq=bound, time=until.time):
        try:
            return snapshot_engine(storage, seq)
        except SnapshotNotFound:
            continue  # removed since we listed the names
        except (SnapshotDamaged, StateDamaged, Diverged) as error:
            say(f"{storage.directory}: a snapshot is passed over: {error}")
    return Engine()
