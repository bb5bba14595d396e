"""Recovery keeps what it cuts, makes durable what it read, and can be interrupted and repeated."""

import pytest

from tradeclear.wal import LogFailed, segments

from .logs import append, open_log, read_all, records, write_log
from .memory_storage import MemoryStorage

COUNTS = (2, 1, 3, 1, 4)


def torn() -> tuple[MemoryStorage, str, bytes]:
    """A log whose last frame lacks its end, the segment's name, and what is left of the frame."""
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    whole = len(storage.content(segments(storage)[-1].name))
    write_log(storage, 2)
    name = segments(storage)[-1].name
    content = storage.content(name)[:-3]
    storage.put(name, content)
    return storage, name, content[whole:]


def test_torn_last_record() -> None:
    storage, name, rest = torn()
    log = open_log(storage)
    assert read_all(log) == records(1, sum(COUNTS))
    report = log.recovery
    assert report.torn is not None
    assert (report.torn.file, report.torn.length) == (name, len(rest))
    assert (report.torn.first_seq, report.torn.last_seq) == (12, 13)
    assert report.broken == f"{name}.{report.torn.offset}.broken"
    assert storage.content(report.broken) == rest
    assert len(storage.content(name)) == report.torn.offset


def test_torn_tail_is_cut_not_tolerated() -> None:
    """What is only tolerated is damage in the middle after the next append (pitfall 3)."""
    storage, _, _ = torn()
    for _ in range(2):
        log = open_log(storage)
        append(log, 2)
        log.close()
    log = open_log(storage)
    assert log.recovery.torn is None
    assert read_all(log) == records(1, sum(COUNTS) + 4)


def test_copy_is_durable_before_the_cut() -> None:
    storage, _, _ = torn()
    storage.steps.clear()
    open_log(storage)
    assert storage.steps[:7] == [
        *("create", "pwrite", "fdatasync", "rename", "fsync_directory"),
        *("truncate", "fdatasync"),
    ]


def test_end_of_the_log_is_written_again() -> None:
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    before = storage.files()
    storage.steps.clear()
    open_log(storage)
    assert storage.steps == ["pwrite", "fdatasync", "fsync_directory"]
    assert storage.files() == before


def test_same_place_torn_twice() -> None:
    """A second piece that was cut at the same place does not replace the first."""
    storage, name, rest = torn()
    log = open_log(storage)
    first = str(log.recovery.broken)
    log.close()
    storage.put(name, storage.content(name) + b"something else")
    log = open_log(storage)
    second = str(log.recovery.broken)
    assert first != second
    assert (storage.content(first), storage.content(second)) == (rest, b"something else")


def test_leftovers_of_interrupted_writers() -> None:
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    leftovers = {
        "snapshot-00000000000000000007.snap.tmp",
        f"{segments(storage)[0].name}.48.broken.tmp",
    }
    strangers = {"README.md", "other.tmp"}
    for name in leftovers | strangers:
        storage.put(name, b"")
    log = open_log(storage)
    assert set(log.recovery.removed) == leftovers
    assert strangers < set(storage.names())


@pytest.mark.parametrize("head_bytes", [0, 17, 48])
def test_successor_that_nothing_names_yet(head_bytes: int) -> None:
    """A rotation that was cut short: the successor is there in part, the seal is not."""
    storage = MemoryStorage()
    write_log(storage, 2, 1, 3, 1, 1, 2)
    first, second = segments(storage)
    head = storage.content(second.name)[:head_bytes]
    for seal_bytes in (0, 1, 59):
        cut = storage.copy()
        cut.put(second.name, head)
        cut.put(first.name, storage.content(first.name)[: first.bytes - 60 + seal_bytes])
        log = open_log(cut)
        assert log.recovery.removed == (second.name,)
        assert log.last_seq == first.last_seq
        append(log, 2, 3)
        assert read_all(log) == records(1, first.last_seq + 5)
        log.close()
        assert open_log(cut).recovery.removed == ()


def test_successor_with_more_than_a_head_is_not_removed() -> None:
    storage = MemoryStorage()
    write_log(storage, 2, 1, 3, 1, 1, 2)
    first, second = segments(storage)
    storage.put(first.name, storage.content(first.name)[:-60])
    storage.put(second.name, storage.content(second.name)[:49])
    before = storage.files()
    with pytest.raises(Exception, match="seal"):
        open_log(storage)
    assert storage.files() == before


def test_failing_disk_leaves_the_lock_free() -> None:
    for step in range(1, 11):
        storage, _, _ = torn()
        storage.restart().fail_at = step
        with pytest.raises(LogFailed):
            open_log(storage)
        assert not storage.locked
    assert open_log(storage.restart()).last_seq == sum(COUNTS)
