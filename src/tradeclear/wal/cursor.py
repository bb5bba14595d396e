"""Frames of the log in their order, across segments: for recovery, for a follower, for `wal cat`.

A cursor ends where the log ends for now and goes on from there when it is asked again, so the same
one replays a log and follows a live one. It takes no lock and changes nothing.
"""

from collections.abc import Iterator
from contextlib import closing, suppress

from msgspec import Struct

from tradeclear.wal.errors import Damage, LogDamaged, RecordPruned
from tradeclear.wal.frame import Frame
from tradeclear.wal.frame_reader import chunk_bytes
from tradeclear.wal.names import segment_name, segment_names, segment_seq
from tradeclear.wal.segment import SegmentReader
from tradeclear.wal.storage import File, Storage
from tradeclear.wal.verdict import TornTail, damage_at, judge, missing_segment


class Mark(Struct, frozen=True, kw_only=True):
    """A frame that is known to stand at `offset` of a segment, `first_seq` its first record."""

    segment: str
    first_seq: int
    offset: int


class Cursor:
    """Reads frames from the one that holds `from_seq` on, verified, without a gap.

    `torn` tells after an iteration whether an incomplete frame stands at the end: one that is being
    written if the directory has a writer, else a torn tail. For one thread at a time.
    """

    def __init__(
        self, storage: Storage, from_seq: int = 1, *, chunk_bytes: int = chunk_bytes
    ) -> None:
        self.torn: TornTail | None = None
        self._storage = storage
        self._from_seq = from_seq
        self._chunk_bytes = chunk_bytes
        self._file: File | None = None
        self._reader: SegmentReader | None = None
        self._suspect: tuple[str, int] | None = None

    def frames(self) -> Iterator[Frame]:
        """Yield the frames that are there and have not been yielded.

        `RecordPruned` when the log begins after `from_seq`; `LogDamaged` where it is damaged, after
        every frame before that place.
        """
        self.torn = None
        if self._reader is None:
            self._begin()
        while self._reader is not None:
            for frame in self._reader.frames():
                if frame.last_seq >= self._from_seq:
                    yield frame
            if not self._go_on():
                return

    def start_at(self, mark: Mark) -> None:
        """Begin with a frame that is known. `FileNotFoundError` if its segment is gone."""
        self._open(mark.segment, offset=mark.offset, next_seq=mark.first_seq)

    def short_of(self, seq: int) -> Damage:
        """Describe that the log ends here, and not with `seq`."""
        if self._reader is None:
            return missing_segment(segment_name(self._from_seq), self._from_seq - 1)
        return damage_at(self._reader, "the end of the log", expected=f"records up to {seq}")

    def close(self) -> None:
        """Let go of the file that is being read."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _begin(self) -> None:
        """Open the segment that holds `from_seq`, or the last; none if the directory is empty."""
        while self._reader is None and (names := segment_names(self._storage.names())):
            name = max((n for n in names if segment_seq(n) <= self._from_seq), default=None)
            if name is None:
                raise RecordPruned(self._from_seq, segment_seq(names[0]))
            with suppress(FileNotFoundError):  # pruned between the listing and the opening
                self._open(name, checksum=0 if segment_seq(name) == 1 else None)

    def _go_on(self) -> bool:
        """At the end of a segment: whether there is more to read now."""
        reader, file = self._reader, self._file
        assert reader is not None
        assert file is not None
        if reader.successor is not None and reader.defect is None:
            self._open_successor(reader)
            return True
        ending = judge(self._storage, file, reader)
        if ending.damage is None:
            self.torn = ending.torn
            return False
        place = (reader.name, reader.offset)
        if self._suspect == place:
            raise LogDamaged(ending.damage)
        self._suspect = place  # a writer may have been at it: look again before crying damage
        return True

    def _open_successor(self, reader: SegmentReader) -> None:
        name = segment_name(reader.successor or 0)
        try:
            self._open(name, checksum=reader.checksum)
        except FileNotFoundError:
            oldest = segment_names(self._storage.names())[:1]
            if oldest and oldest[0] > name:
                raise RecordPruned(segment_seq(name), segment_seq(oldest[0])) from None
            raise LogDamaged(missing_segment(name, segment_seq(name) - 1)) from None

    def _open(
        self,
        name: str,
        *,
        offset: int = 0,
        next_seq: int | None = None,
        checksum: int | None = None,
    ) -> None:
        file = self._storage.open(name)
        self.close()
        self._file = file
        self._reader = SegmentReader(
            file,
            name,
            offset=offset,
            next_seq=next_seq,
            checksum=checksum,
            chunk_bytes=self._chunk_bytes,
        )


def frames_between(
    storage: Storage,
    from_seq: int,
    to_seq: int,
    *,
    mark: Mark | None = None,
    chunk_bytes: int = chunk_bytes,
) -> Iterator[Frame]:
    """Yield the frames that hold `from_seq` to `to_seq`, all of which must be there.

    `mark` is a frame at or before `from_seq` to begin with, if one is known. `LogDamaged` if the
    log ends before `to_seq`; `FileNotFoundError` if the segment of the mark is gone.
    """
    with closing(Cursor(storage, from_seq, chunk_bytes=chunk_bytes)) as cursor:
        if mark is not None:
            cursor.start_at(mark)
        last_seq = from_seq - 1
        for frame in cursor.frames():
            yield frame
            last_seq = frame.last_seq
            if last_seq >= to_seq:
                return
        raise LogDamaged(cursor.short_of(to_seq))
