"""The log: append, sync, rotate, read, prune. The one writer of a directory.

Its promise: when `append` returns, the records survive whatever happens to the process or the
power; when it raises, nothing is ever written again by this process. A failed sync is never
repeated, for the kernel may have dropped the pages and would report success.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Final, NoReturn

from tradeclear.wal.cursor import Mark, frames_between
from tradeclear.wal.errors import LogDamaged, LogFailed, RecordNotFound, RecordPruned
from tradeclear.wal.frame import HEADER_BYTES, Frame, encode_records
from tradeclear.wal.index import SegmentIndex, stride_bytes
from tradeclear.wal.names import snapshot_seqs
from tradeclear.wal.recovery import RecoveryReport, recover
from tradeclear.wal.segment import SegmentInfo, segment_bytes_max_default
from tradeclear.wal.segment_writer import SegmentWriter
from tradeclear.wal.storage import Storage
from tradeclear.wal.survey import Survey, read_segment, survey

indexes_max: Final = 64
"""Segments whose index is kept: at most 64 KiB each with segments of 64 MiB."""


class Log:
    """A log that is open for writing; made by `Log.open`.

    `append` is for one thread at a time; everything else may be called from any thread meanwhile.
    `recovery` tells what `open` found and mended.
    """

    def __init__(
        self,
        storage: Storage,
        writer: SegmentWriter,
        *,
        sealed: tuple[SegmentInfo, ...],
        index: SegmentIndex,
        segment_bytes_max: int,
        recovery: RecoveryReport,
    ) -> None:
        self.recovery = recovery
        self._storage = storage
        self._segment_bytes_max = segment_bytes_max
        self._writer = writer
        self._failure: BaseException | None = None
        self._closed = False
        self._writing = Lock()
        self._pruning = Lock()
        # The segments that are sealed, and the index of the one that is written; swapped whole.
        self._sealed = sealed
        self._index = index
        self._swapping = Lock()
        self._indexes: OrderedDict[str, SegmentIndex] = OrderedDict()

    @classmethod
    def open(cls, storage: Storage, *, segment_bytes_max: int = segment_bytes_max_default) -> "Log":
        """Lock the directory, judge it, mend what a crash left, and be ready to append.

        Reads both ends of every segment and all of the last; the others are verified when they are
        read. An empty directory becomes a log that begins with record 1.
        `DirectoryLocked`; `LogDamaged` with every byte untouched; `LogFailed` when the disk fails
        or is full: nothing is lost, a later `open` mends the same again.
        """
        try:
            storage.lock()
        except OSError as error:
            raise LogFailed(f"{storage.directory} could not be locked: {error}") from error
        try:
            found = survey(storage)
            if found.damage is not None:
                raise LogDamaged(found.damage)
            recovery = recover(storage, found)
            writer = _writer_of(storage, found)
        except OSError as error:
            storage.unlock()
            raise LogFailed(f"{storage.directory} could not be recovered: {error}") from error
        except BaseException:
            storage.unlock()
            raise
        return cls(
            storage,
            writer,
            sealed=found.segments[:-1],
            index=(found.last.index if found.last is not None else None) or SegmentIndex(),
            segment_bytes_max=segment_bytes_max,
            recovery=recovery,
        )

    @property
    def first_seq(self) -> int:
        """Seq of the first record that is kept; 1 in an empty log."""
        with self._swapping:
            return (self._sealed[0] if self._sealed else self._writer.info()).first_seq

    @property
    def last_seq(self) -> int:
        """Seq of the last durable record; `first_seq - 1` when there is none."""
        return self._writer.next_seq - 1

    @property
    def failure(self) -> BaseException | None:
        """The error that closed the log to writes, if one did."""
        return self._failure

    def segments(self) -> tuple[SegmentInfo, ...]:
        """Describe the segments, oldest first; the last is the one that is written."""
        with self._swapping:
            return (*self._sealed, self._writer.info())

    def append(self, first_seq: int, records: Sequence[bytes]) -> int:
        """Write `records`, the first being `first_seq`, as one frame; durable when it returns.

        One write and one sync; before them, if the segment is full, a rotation. Returns the bytes
        of the frame. `ValueError`, with nothing touched, if they don't follow `last_seq` or don't
        fit in a frame (`records_bytes_max`). After any other error their outcome is unknown and
        the log is closed to writes: `LogFailed`, now and on every later call. A caller that was
        cancelled while a thread is in here has a call that still finishes.
        """
        payload = encode_records(records)
        with self._writing:
            self._check_open()
            if first_seq != self._writer.next_seq:
                raise ValueError(f"record {first_seq} does not follow record {self.last_seq}")
            try:
                if self._is_full(len(payload)):
                    self._rotate()
                self._index.note(first_seq, self._writer.size)
                return self._writer.append(payload, len(records))
            except BaseException as error:
                self._fail(error)

    def frames(self, from_seq: int, to_seq: int | None = None) -> Iterator[Frame]:
        """Yield the frames that hold `from_seq` to `to_seq`, verified; by default to `last_seq`.

        The first and the last may hold more records than were asked for. Nothing beyond what is
        durable is read. `RecordPruned`; `LogDamaged`, also for a gap.
        """
        to_seq = self.last_seq if to_seq is None else min(to_seq, self.last_seq)
        if from_seq < self.first_seq:
            raise RecordPruned(from_seq, self.first_seq)
        if from_seq > to_seq:
            return iter(())
        return frames_between(self._storage, from_seq, to_seq, mark=self._mark(from_seq))

    def read(self, seq: int) -> bytes:
        """Return the bytes of one record.

        Reads about 16 KiB, or, the first time in a segment since the log was opened, all of it.
        `RecordPruned`, `RecordNotFound` if it isn't durable (yet), `LogDamaged`.
        """
        if seq > self.last_seq:
            raise RecordNotFound(f"the log ends with record {self.last_seq}, before {seq}", seq)
        try:
            mark = self._mark(seq) or self._build_mark(seq)
            chunk_bytes = 2 * stride_bytes
            frames = frames_between(self._storage, seq, seq, mark=mark, chunk_bytes=chunk_bytes)
            return next(frames).record(seq)
        except FileNotFoundError:
            raise RecordPruned(seq, self.first_seq) from None

    def prune(self, below_seq: int) -> tuple[str, ...]:
        """Remove whole segments whose records are all below `below_seq`; return their names.

        Oldest first, each removal durable before the next, so that a crash leaves no hole; never
        the last segment. `ValueError` unless a snapshot covers what goes: the caller prunes after
        `snapshots.write` has returned. A disk error closes the log to writes: `LogFailed`.
        """
        with self._pruning:
            self._check_open()
            going = [info for info in self._sealed if info.last_seq < below_seq]
            covered = max(snapshot_seqs(self._storage.names()), default=0)
            if going and going[-1].last_seq > covered:
                raise ValueError(f"no snapshot covers the records up to {going[-1].last_seq}")
            for info in going:
                self._remove(info)
            return tuple(info.name for info in going)

    def close(self) -> None:
        """Let go of the directory, once an append in another thread has finished."""
        with self._writing:
            if not self._closed:
                self._closed = True
                self._writer.close()
                self._storage.unlock()

    def _is_full(self, payload_bytes: int) -> bool:
        size = self._writer.size + HEADER_BYTES + payload_bytes
        return size > self._segment_bytes_max and self._writer.frames > 0

    def _rotate(self) -> None:
        successor = self._writer.rotate(self._storage)
        with self._swapping:
            self._sealed = (*self._sealed, self._writer.info(sealed=True))
            self._remember(self._writer.name, self._index)
            self._writer = successor
            self._index = SegmentIndex()

    def _remove(self, info: SegmentInfo) -> None:
        """Forget the oldest segment, then remove it, durably."""
        with self._swapping:
            self._sealed = tuple(kept for kept in self._sealed if kept != info)
            self._indexes.pop(info.name, None)
        try:
            self._storage.unlink(info.name)
            self._storage.fsync_directory()
        except BaseException as error:
            self._fail(error)

    def _check_open(self) -> None:
        if self._failure is not None:
            raise LogFailed(f"the log failed before: {self._failure}") from self._failure
        if self._closed:
            raise LogFailed("the log is closed")

    def _fail(self, error: BaseException) -> NoReturn:
        """Close the log to writes for good."""
        self._failure = error
        if isinstance(error, Exception):
            raise LogFailed(f"{self._storage.directory}: {error}") from error
        raise error

    def _mark(self, seq: int) -> Mark | None:
        """Find a frame at or before `seq` in the index of its segment, if that is in memory."""
        with self._swapping:
            name = self._segment_of(seq).name
            index = self._index if name == self._writer.name else self._indexes.get(name)
        return None if index is None else _mark(name, index, seq)

    def _build_mark(self, seq: int) -> Mark | None:
        """Read the segment of `seq` whole, and keep its index."""
        with self._swapping:
            name = self._segment_of(seq).name
        reading = read_segment(self._storage, name, None)
        if reading.ending.damage is not None:
            raise LogDamaged(reading.ending.damage)
        assert reading.index is not None
        with self._swapping:
            self._remember(name, reading.index)
        return _mark(name, reading.index, seq)

    def _segment_of(self, seq: int) -> SegmentInfo:
        """Find the segment that holds `seq`. The caller has the lock."""
        infos = (*self._sealed, self._writer.info())
        place = bisect_right(infos, seq, key=lambda info: info.first_seq) - 1
        if place < 0:
            raise RecordPruned(seq, infos[0].first_seq)
        return infos[place]

    def _remember(self, name: str, index: SegmentIndex) -> None:
        self._indexes[name] = index
        while len(self._indexes) > indexes_max:
            self._indexes.popitem(last=False)


def _mark(name: str, index: SegmentIndex, seq: int) -> Mark | None:
    found = index.find(seq)
    return None if found is None else Mark(segment=name, first_seq=found[0], offset=found[1])


def _writer_of(storage: Storage, found: Survey) -> SegmentWriter:
    """Go on with the last segment, or create the first."""
    last = found.last
    if last is None:
        return SegmentWriter.create(storage, 1, 0)
    assert last.checksum is not None
    return SegmentWriter(
        storage.open(last.info.name, write=True),
        last.info.name,
        size=last.end,
        next_seq=last.info.last_seq + 1,
        frames=last.info.frames,
        checksum=last.checksum,
    )
