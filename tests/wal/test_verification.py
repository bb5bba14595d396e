"""`verify` says what the writer would find, also beside a living writer, and changes nothing."""

from pathlib import Path
from threading import Thread

from tradeclear.wal import PosixStorage, segments, snapshots, verify

from .logs import append, open_log, write_log
from .memory_storage import MemoryStorage

COUNTS = (2, 1, 3, 1, 4, 1, 1, 2, 1, 3)


def test_counts() -> None:
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    snapshots.write(storage, 5, [b"state"], meta={"state_hash": "f00"})
    report = verify(storage)
    assert report.ok
    assert (report.first_seq, report.last_seq) == (1, sum(COUNTS))
    assert (report.frames, report.records) == (len(COUNTS), sum(COUNTS))
    assert report.bytes == sum(len(storage.content(info.name)) for info in report.segments)
    assert [info.meta["state_hash"] for info in report.snapshots] == ["f00"]
    assert segments(storage) == report.segments


def test_empty_directory() -> None:
    report = verify(MemoryStorage())
    assert (report.ok, report.last_seq, report.segments) == (True, 0, ())
    assert segments(MemoryStorage()) == ()


def test_progress_reaches_the_total() -> None:
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    calls: list[tuple[int, int]] = []
    verify(storage, lambda done, total: calls.append((done, total)))
    assert [total for _, total in calls] == [verify(storage).bytes] * 3
    assert calls[-1][0] == calls[-1][1]
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_damaged_snapshot() -> None:
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    snapshots.write(storage, 5, [b"state"], meta={})
    name = "snapshot-00000000000000000005.snap"
    storage.put(name, storage.content(name)[:-1])
    report = verify(storage)
    assert (report.verdict, report.ok) == ("clean", False)
    assert report.snapshot_damage[0].file == name


def test_in_flight_is_no_error() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, 3)
    name = log.segments()[0].name
    storage.put(name, storage.content(name)[:-1])
    report = verify(storage)
    assert (report.verdict, report.holder, report.torn) == ("clean", 4711, None)
    assert report.in_flight is not None
    log.close()
    report = verify(storage)
    assert (report.verdict, report.in_flight) == ("torn_tail", None)
    assert report.torn is not None
    assert (report.torn.first_seq, report.torn.last_seq) == (1, 3)


def test_rotation_in_flight() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, *COUNTS)
    storage.put(f"wal-{log.last_seq + 1:020d}.log", b"")
    assert verify(storage).ok


def test_segments_of_a_damaged_log() -> None:
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    first, *others = segments(storage)
    storage.put(first.name, storage.content(first.name)[:-1])
    now, *same = segments(storage)
    assert same == others
    assert (now.last_seq, now.sealed, now.bytes) == (first.last_seq, False, first.bytes - 1)


def test_live_directory(tmp_path: Path) -> None:
    """A writer that appends, rotates and prunes all the time is never accused of anything."""
    storage, reader = PosixStorage(tmp_path), PosixStorage(tmp_path)
    log = open_log(storage)

    def write() -> None:
        for number in range(400):
            append(log, 2, 1)
            if number % 20 == 10:
                snapshots.write(storage, log.last_seq, [b"state"], meta={})
                log.prune(log.last_seq - 30)

    writer = Thread(target=write)
    writer.start()
    looks = 0
    while writer.is_alive() or looks < 3:
        report = verify(reader)
        assert report.ok, report
        assert segments(reader) != () or report.segments == ()
        looks += 1
    writer.join()
    assert verify(reader).last_seq == log.last_seq == 1200
    log.close()
    storage.close()
    reader.close()
