"""The segment that is being written: one write and one sync a frame."""

from contextlib import suppress

from tradeclear.wal.frame import RECORDS, encode_frame
from tradeclear.wal.names import segment_name, segment_seq
from tradeclear.wal.segment import HEAD_BYTES, SegmentInfo, encode_head, encode_seal
from tradeclear.wal.storage import File, Storage


class SegmentWriter:
    """Appends to the last segment. After any error it must not be used again but to close it."""

    __slots__ = ("_checksum", "_file", "frames", "name", "next_seq", "size")

    def __init__(
        self, file: File, name: str, *, size: int, next_seq: int, frames: int, checksum: int
    ) -> None:
        self.name = name
        self.size = size
        self.next_seq = next_seq
        self.frames = frames
        self._file = file
        self._checksum = checksum

    @classmethod
    def create(cls, storage: Storage, first_seq: int, previous: int) -> "SegmentWriter":
        """Create a segment, durable with its name; `previous` ends the chain before it.

        A crash leaves a file of at most `HEAD_BYTES`, which nothing names yet.
        """
        name = segment_name(first_seq)
        head, checksum = encode_head(first_seq, previous)
        file = storage.create(name)
        try:
            file.pwrite(0, head)
            file.fdatasync()
            storage.fsync_directory()
        except BaseException:
            with suppress(OSError):
                file.close()
            raise
        return cls(file, name, size=HEAD_BYTES, next_seq=first_seq, frames=0, checksum=checksum)

    def append(self, payload: bytes, count: int) -> int:
        """Write one frame of `count` records and make it durable; return its bytes."""
        frame, checksum = encode_frame(RECORDS, self.next_seq, count, self._checksum, payload)
        self._file.pwrite(self.size, frame)
        self._file.fdatasync()
        self.size += len(frame)
        self.next_seq += count
        self.frames += 1
        self._checksum = checksum
        return len(frame)

    def rotate(self, storage: Storage) -> "SegmentWriter":
        """Create the successor, then seal this segment with its name, then let go of this one."""
        seal, checksum = encode_seal(self.next_seq, self.frames, self._checksum)
        successor = SegmentWriter.create(storage, self.next_seq, checksum)
        try:
            self._file.pwrite(self.size, seal)
            self._file.fdatasync()
        except BaseException:
            successor.close()
            raise
        self.size += len(seal)
        self.close()
        return successor

    def info(self, *, sealed: bool = False) -> SegmentInfo:
        """Describe what is durable in it."""
        return SegmentInfo(
            name=self.name,
            first_seq=segment_seq(self.name),
            last_seq=self.next_seq - 1,
            frames=self.frames,
            bytes=self.size,
            sealed=sealed,
        )

    def close(self) -> None:
        """Let go of the file."""
        with suppress(OSError):
            self._file.close()
