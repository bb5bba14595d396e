"""What `append` returned for is durable, once, in order; after any error nothing is written."""

from pathlib import Path
from threading import Thread

import pytest

from tradeclear.wal import (
    DirectoryLocked,
    Log,
    LogDamaged,
    LogFailed,
    PosixStorage,
    RecordNotFound,
    RecordPruned,
    frame_bytes_max,
    records_bytes_max,
    snapshots,
    verify,
)

from .logs import append, open_log, read_all, record, records
from .memory_storage import MemoryStorage

COUNTS = (2, 1, 3, 1, 4, 1, 1, 2, 1, 3)


def test_empty_log() -> None:
    log = open_log(MemoryStorage())
    assert (log.first_seq, log.last_seq, read_all(log)) == (1, 0, [])


def test_append_is_one_write_and_one_sync() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    storage.steps.clear()
    written = log.append(1, records(1, 5))
    assert storage.steps == ["pwrite", "fdatasync"]
    assert written == len(b"".join(records(1, 5))) + 32 + 5
    assert log.last_seq == 5


def test_rotation_creates_the_successor_before_it_seals() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    while len(storage.names()) == 1:
        storage.steps.clear()
        append(log, 2)
    assert storage.steps == [
        *("create", "pwrite", "fdatasync", "fsync_directory"),
        *("pwrite", "fdatasync"),
        *("pwrite", "fdatasync"),
    ]


def test_reopen_goes_on() -> None:
    storage = MemoryStorage()
    for count in COUNTS:
        log = open_log(storage)
        append(log, count)
        log.close()
    log = open_log(storage)
    assert read_all(log) == records(1, sum(COUNTS))
    assert log.recovery.torn is None
    assert len(log.segments()) >= 3


def test_frames_from_any_seq() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, *COUNTS)
    for again in (log, None):
        log = again or open_log(storage)
        for from_seq in range(1, log.last_seq + 2):
            for to_seq in (None, from_seq, log.last_seq + 7):
                frames = list(log.frames(from_seq, to_seq))
                got = [record for frame in frames for record in frame.records()]
                if from_seq > log.last_seq:
                    assert got == []
                    continue
                last_seq = log.last_seq if to_seq is None else min(to_seq, log.last_seq)
                assert got == records(frames[0].first_seq, frames[-1].last_seq)
                assert frames[0].first_seq <= from_seq <= frames[0].last_seq
                assert frames[-1].first_seq <= last_seq <= frames[-1].last_seq
        log.close()


def test_read_every_record() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, *COUNTS)
    assert [log.read(seq) for seq in range(1, log.last_seq + 1)] == records(1, log.last_seq)
    log.close()
    log = open_log(storage)
    assert [log.read(seq) for seq in range(log.last_seq, 0, -1)] == records(1, log.last_seq)[::-1]
    with pytest.raises(RecordNotFound):
        log.read(log.last_seq + 1)
    with pytest.raises(RecordPruned):
        log.read(0)


def test_read_reads_little_once_it_knows_the_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryStorage()
    log = Log.open(storage)
    first_seq = 1
    for _ in range(200):
        log.append(first_seq, [b"\xc4\xff" + bytes(255)] * 10)
        first_seq += 10
    log.append(first_seq, records(first_seq, first_seq))
    asked: list[int] = []
    file = storage.open(log.segments()[0].name)
    real = file.pread
    monkeypatch.setattr(
        file, "pread", lambda offset, length: (asked.append(length), real(offset, length))[1]
    )
    monkeypatch.setattr(storage, "open", lambda name: file)
    for seq in (1, 1000, 2001):
        asked.clear()
        log.read(seq)
        assert sum(asked) <= 64 * 1024


def test_records_that_do_not_follow() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, 3)
    storage.steps.clear()
    for first_seq in (1, 3, 5):
        with pytest.raises(ValueError, match="does not follow"):
            log.append(first_seq, records(first_seq, first_seq))
    assert storage.steps == []
    append(log, 1)
    assert log.last_seq == 4


def test_batch_beyond_a_frame_touches_nothing() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    storage.steps.clear()
    with pytest.raises(ValueError, match="split"):
        log.append(1, [bytes(records_bytes_max), b"\0"])
    assert storage.steps == []
    assert log.append(1, [bytes(records_bytes_max)]) == frame_bytes_max
    append(log, 1)
    assert verify(storage).records == 2


def test_failed_write_poisons_for_good() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, 1)
    storage.fail_at = len(storage.steps) + 1
    with pytest.raises(LogFailed, match="28"):
        append(log, 1)
    storage.fail_at = None
    steps = len(storage.steps)
    for _ in range(3):
        with pytest.raises(LogFailed):
            append(log, 1)
        with pytest.raises(LogFailed):
            log.prune(1)
    assert len(storage.steps) == steps
    assert (log.last_seq, log.read(1)) == (1, record(1))
    assert isinstance(log.failure, OSError)


def test_failed_fsync_poisons_for_good() -> None:
    """It is never repeated: the second would succeed, with the data gone."""
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, 1)
    storage.fail_at = len(storage.steps) + 2
    with pytest.raises(LogFailed):
        append(log, 1)
    assert storage.steps[-1] == "fdatasync"
    steps = len(storage.steps)
    with pytest.raises(LogFailed, match="failed before"):
        append(log, 1)
    assert len(storage.steps) == steps
    assert log.last_seq == 1


def test_enospc_in_mid_frame() -> None:
    """With space freed and a restart: no gap, and what was cut is kept."""
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, 2)
    storage.fail_at = len(storage.steps) + 1
    with pytest.raises(LogFailed):
        append(log, 3)
    log.close()
    half_frame = len(storage.content(log.segments()[0].name)) - log.segments()[0].bytes
    log = open_log(storage.restart())
    assert log.recovery.torn is not None
    assert log.recovery.torn.length == half_frame
    assert (log.recovery.torn.first_seq, log.recovery.torn.last_seq) == (3, 5)
    assert len(storage.content(str(log.recovery.broken))) == half_frame
    append(log, 3)
    assert read_all(log) == records(1, 5)


def test_disk_still_full_at_the_restart() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, 2)
    storage.fail_at = len(storage.steps) + 1
    with pytest.raises(LogFailed):
        append(log, 3)
    before = storage.restart().files()
    storage.fail_at = 2
    with pytest.raises(LogFailed, match="could not be recovered"):
        open_log(storage)
    assert {name: storage.files()[name] for name in before} == before
    assert open_log(storage.restart()).last_seq == 2


def test_prune() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, *COUNTS)
    first, second, *_ = log.segments()
    assert log.prune(first.last_seq) == ()
    with pytest.raises(ValueError, match="snapshot"):
        log.prune(first.last_seq + 1)
    snapshots.write(storage, second.last_seq, [b"state"], meta={})
    assert log.prune(second.last_seq) == (first.name,)
    assert log.prune(second.last_seq + 1) == (second.name,)
    assert log.first_seq == second.last_seq + 1
    assert read_all(log) == records(log.first_seq, log.last_seq)
    for gone in (log.read, lambda seq: list(log.frames(seq))):
        with pytest.raises(RecordPruned):
            gone(1)
    log.close()
    assert open_log(storage).first_seq == second.last_seq + 1


def test_prune_never_removes_the_last_segment() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, *COUNTS)
    snapshots.write(storage, log.last_seq, [b"state"], meta={})
    log.prune(log.last_seq + 1)
    assert len(log.segments()) == 1
    append(log, 1)
    assert verify(storage).ok


def test_prune_makes_each_removal_durable_before_the_next() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, *COUNTS, *COUNTS)
    snapshots.write(storage, log.last_seq, [b"state"], meta={})
    storage.steps.clear()
    removed = log.prune(log.last_seq)
    assert len(removed) >= 3
    assert storage.steps == ["unlink", "fsync_directory"] * len(removed)
    assert list(removed) == sorted(removed)


def test_damage_found_while_reading() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, *COUNTS)
    log.close()
    first = log.segments()[0]
    content = bytearray(storage.content(first.name))
    content[200] ^= 1
    storage.put(first.name, bytes(content))
    log = open_log(storage)
    with pytest.raises(LogDamaged) as caught:
        read_all(log)
    with pytest.raises(LogDamaged):
        log.read(first.last_seq)
    assert caught.value.file == first.name
    assert caught.value.offset <= 200


def test_lock_is_held_until_close() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    with pytest.raises(DirectoryLocked):
        open_log(storage)
    log.close()
    log.close()
    with pytest.raises(LogFailed, match="closed"):
        append(log, 1)
    open_log(storage)


def test_refused_log_is_not_locked() -> None:
    storage = MemoryStorage()
    storage.put("wal-00000000000000000001.log", b"x" * 1000)
    for _ in range(2):
        with pytest.raises(LogDamaged):
            open_log(storage)
    assert not storage.locked


def test_threads_read_while_one_appends(tmp_path: Path) -> None:
    """Readers see every durable record whole, also across rotations and pruning."""
    storage = PosixStorage(tmp_path)
    log = open_log(storage)
    append(log, 1)
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while log.last_seq < 600:
                last_seq = log.last_seq
                assert log.read(last_seq) == record(last_seq)
                for frame in log.frames(max(log.first_seq, last_seq - 20)):
                    assert frame.records() == records(frame.first_seq, frame.last_seq)
        except RecordPruned:
            read()
        except BaseException as error:
            failures.append(error)

    readers = [Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(200):
        append(log, 3)
        if number % 40 == 20:
            snapshots.write(storage, log.last_seq, [b"state"], meta={})
            log.prune(log.last_seq - 30)
    for reader in readers:
        reader.join()
    assert failures == []
    log.close()
    storage.close()
