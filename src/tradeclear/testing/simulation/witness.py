"""The witness: hears everything that leaves the exchange, and holds it to what must always hold.

It keeps every record that anybody was told of, and an engine of its own that has applied them: what
a recovery brings up must be that, to the last bit, and whole records more at most.
"""

from collections.abc import Iterable
from contextlib import closing
from typing import Final, NamedTuple

from tradeclear.core.engine import Engine
from tradeclear.core.state import state_hash
from tradeclear.model.events import Record
from tradeclear.model.units import Micros, Seq
from tradeclear.pipeline.recovery import replay
from tradeclear.pipeline.snapshotter import SnapshotInfo
from tradeclear.testing.invariants import Watch
from tradeclear.testing.simulated_storage import SimulatedStorage
from tradeclear.testing.simulation.durability import durable_seq
from tradeclear.wal import Cursor, Log, verify
from tradeclear.wal.codec import decode_record, encode_events, encode_record
from tradeclear.wal.names import snapshot_seqs


class Violation(BaseException):
    """Something that must always hold does not. No `except Exception` of the product stops it."""


class _Use(NamedTuple):
    """A key's record, and its place among all records with keys."""

    place: int
    seq: Seq
    time: Micros


class Witness:
    """What the world outside knows of the exchange."""

    def __init__(self, storage: SimulatedStorage) -> None:
        self.told: Final[dict[Seq, bytes]] = {}
        """Records that a client or a follower was told of."""
        self.first_seq: Seq = 1
        """Of the log, when it was last opened or read."""
        self._storage: Final = storage
        self._durable: Seq = 0
        self._watch: Final = Watch(Engine())
        self._hashes: Final[dict[Seq, str]] = {}
        self._keys: Final[dict[bytes, _Use]] = {}
        self._keyed: Final[list[Micros]] = []

    @property
    def seq(self) -> Seq:
        """The newest record that is known to be part of the log."""
        return self._watch.engine.seq

    # What leaves the exchange

    def hear_answer(self, seq: Seq) -> None:
        """Somebody is told something that was computed at `seq`, now."""
        if seq > self._durable:
            self._durable = durable_seq(self._storage)
            if seq > self._durable:
                raise Violation(
                    f"record {seq} was told of, and a power cut now would leave {self._durable}"
                )

    def hear_record(self, record: Record) -> None:
        """Somebody is told of a record, now."""
        self.hear_answer(record.seq)
        encoded = encode_record(record)
        before = self.told.setdefault(record.seq, encoded)
        if before != encoded:
            raise Violation(f"record {record.seq} was {decode_record(before)}, now it is {record}")

    def hear_published(self, records: list[Record]) -> None:
        """A follower was sent records, each the one after the other."""
        for record in records:
            self.hear_record(record)
            if record.seq > self.seq:
                self._learn(record)

    # What is found after a crash

    def check_recovery(self, log: Log, engine: Engine, snapshot_seq: Seq) -> int:
        """Compare what came up with all that was told. Returns the records that are new to us."""
        if log.last_seq != engine.seq:
            raise Violation(f"the log ends with {log.last_seq}, the engine with {engine.seq}")
        newest = max(self.told, default=0)
        if newest > log.last_seq:
            raise Violation(f"record {newest} was told of; the log ends with {log.last_seq}")
        if snapshot_seq + 1 < log.first_seq:
            raise Violation(f"the log begins with {log.first_seq}, the snapshot is {snapshot_seq}")
        self.first_seq = log.first_seq
        fresh = self._read(frame.records() for frame in log.frames(log.first_seq))
        self._check_hash(engine)
        self._watch.check_everything()
        return fresh

    def check_directory(self) -> None:
        """The directory at rest: every byte verified, and the log gives the state without help."""
        report = verify(self._storage)
        if not report.ok:
            raise Violation(f"verify: {report.damage or report.torn or report.snapshot_damage}")
        if report.last_seq != self.seq:
            raise Violation(f"verify: the log ends with {report.last_seq}, not with {self.seq}")
        if report.first_seq == 1:
            engine = Engine()
            with closing(Cursor(self._storage)) as cursor:
                replay(engine, cursor.frames())
            self._check_hash(engine)

    def check_snapshot(self, info: SnapshotInfo) -> None:
        """A snapshot was written: its hash is that of the state at its record."""
        if info.seq not in snapshot_seqs(self._storage.durable_names()):
            raise Violation(f"snapshot {info.seq} was told of and is not durable")
        expected = self._hash() if info.seq == self.seq else self._hashes.get(info.seq)
        if expected not in (None, info.state_hash):
            raise Violation(f"snapshot {info.seq} has the hash {info.state_hash}, not {expected}")

    def _read(self, frames: Iterable[list[bytes]]) -> int:
        """Hold every record of the log to what was told of it, and learn those we did not know."""
        fresh = 0
        seq = self.first_seq - 1
        for records in frames:
            for encoded in records:
                seq += 1
                known = self.told.get(seq)
                if known is not None and known != encoded:
                    raise Violation(
                        f"record {seq} was told as {decode_record(known)}; the log has "
                        f"{decode_record(encoded)}"
                    )
                if seq > self.seq:
                    fresh += 1
                    self._learn(decode_record(encoded))
        return fresh

    def _learn(self, record: Record) -> None:
        """Apply the next record of the log, under watch."""
        if record.seq != self.seq + 1:
            raise Violation(f"record {record.seq} follows record {self.seq}")
        self._check_key(record)
        try:
            events = self._watch.apply(record.seq, record.time, record.command)
        except AssertionError as error:
            raise Violation(f"record {record.seq}, {record}: {error}") from error
        if encode_events(events) != encode_events(record.events):
            raise Violation(f"record {record.seq} says {record.events}, it should be {events}")

    def _check_key(self, record: Record) -> None:
        """An idempotency key makes one record, for as long as the window remembers it."""
        used = record.command.idempotency
        if used is None:
            return
        if self.remembers(used.key):
            earlier = self._keys[used.key].seq
            raise Violation(f"records {earlier} and {record.seq} have one key")
        self._keys[used.key] = _Use(len(self._keyed), record.seq, record.time)
        self._keyed.append(record.time)

    def remembers(self, key: bytes) -> bool:
        """Whether the exchange must know the key, after the records that we know."""
        used = self._keys.get(key)
        if used is None:
            return False
        since = self._keyed[used.place + 1 :]
        limits = self._watch.engine.limits
        aged = bool(since) and since[-1] - limits.idempotency_age_us > used.time
        return len(since) < limits.idempotency_keys_max and not aged

    def _check_hash(self, engine: Engine) -> None:
        found, expected = state_hash(engine), self._hash()
        if found != expected:
            raise Violation(
                f"the state after record {engine.seq} has the hash {found}; applying the records "
                f"from the first one on gives {expected} after record {self.seq}"
            )

    def _hash(self) -> str:
        """Of our own engine: it changes with records alone, so once a record is enough."""
        if self.seq not in self._hashes:
            self._hashes[self.seq] = state_hash(self._watch.engine)
        return self._hashes[self.seq]
