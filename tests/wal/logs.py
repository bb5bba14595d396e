"""Small logs for tests: records that can be told from their seq, segments that are soon full."""

import msgspec

from tradeclear.wal import Log, Storage

SEGMENT_BYTES_MAX = 500


def record(seq: int) -> bytes:
    """Return the record of `seq`: of a length that varies, like real ones."""
    return msgspec.msgpack.encode([seq, 1_700_000_000_000_000 + seq, "x" * (seq * 7 % 40), []])


def records(first_seq: int, last_seq: int) -> list[bytes]:
    """Return the records from one seq to another."""
    return [record(seq) for seq in range(first_seq, last_seq + 1)]


def open_log(storage: Storage) -> Log:
    """Open a log of small segments."""
    return Log.open(storage, segment_bytes_max=SEGMENT_BYTES_MAX)


def append(log: Log, *counts: int) -> None:
    """Append one frame of so many records after another."""
    for count in counts:
        first_seq = log.last_seq + 1
        log.append(first_seq, records(first_seq, first_seq + count - 1))


def write_log(storage: Storage, *counts: int) -> None:
    """Write a log of frames of so many records."""
    log = open_log(storage)
    append(log, *counts)
    log.close()


def read_all(log: Log) -> list[bytes]:
    """Return every record of a log."""
    return [record for frame in log.frames(log.first_seq) for record in frame.records()]
