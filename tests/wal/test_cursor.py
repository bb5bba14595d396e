"""A cursor yields every frame once, in order, and follows a log that grows under it."""

import pytest

from tradeclear.wal import Cursor, LogDamaged, RecordPruned, snapshots
from tradeclear.wal.cursor import frames_between

from .logs import append, open_log, records, write_log
from .memory_storage import MemoryStorage

COUNTS = (2, 1, 3, 1, 4, 1, 1, 2, 1, 3)


def poll(cursor: Cursor) -> list[bytes]:
    return [record for frame in cursor.frames() for record in frame.records()]


def test_follow_across_rotations() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    cursor = Cursor(storage)
    followed: list[bytes] = []
    for count in COUNTS:
        append(log, count)
        new = poll(cursor)
        assert len(new) == count
        followed += new
    assert followed == records(1, sum(COUNTS))
    assert len(log.segments()) >= 3
    assert poll(cursor) == []


def test_follow_from_before_the_beginning() -> None:
    storage = MemoryStorage()
    cursor = Cursor(storage)
    assert poll(cursor) == []
    log = open_log(storage)
    assert poll(cursor) == []
    append(log, 2)
    assert poll(cursor) == records(1, 2)


def test_follow_from_the_end() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, 3)
    cursor = Cursor(storage, log.last_seq + 1)
    assert poll(cursor) == []
    append(log, 1)
    assert poll(cursor) == records(4, 4)


def test_frame_in_flight_is_waited_for() -> None:
    """At every length of a frame that is being written the follower waits, then has it whole."""
    storage = MemoryStorage()
    write_log(storage, 2)
    name = storage.names()[0]
    before = storage.content(name)
    write_log(storage, 3)
    after = storage.content(name)
    for length in range(len(before) + 1, len(after)):
        storage.put(name, before)
        cursor = Cursor(storage)
        assert poll(cursor) == records(1, 2)
        storage.put(name, after[:length])
        assert poll(cursor) == []
        assert cursor.torn is not None
        assert cursor.torn.offset == len(before)
        storage.put(name, after)
        assert poll(cursor) == records(3, 5)
        assert cursor.torn is None


def test_damage_that_was_only_a_moment() -> None:
    """A reader that saw half a frame, and the next one behind it, looks again before it cries."""
    storage = MemoryStorage()
    write_log(storage, 2, 1, 2)
    name = storage.names()[0]
    whole = storage.content(name)
    *_, middle, _ = [frame.offset for frame in Cursor(storage).frames()]
    halfway = whole[: middle + 40] + bytes(5) + whole[middle + 45 :]
    storage.put(name, halfway)
    frames = Cursor(storage).frames()
    assert next(frames).records() == records(1, 2)
    with pytest.raises(LogDamaged):
        next(frames)

    storage.put(name, halfway)
    cursor = Cursor(storage)
    frames = cursor.frames()
    assert next(frames).records() == records(1, 2)
    names = storage.names

    def names_a_moment_later() -> list[str]:
        storage.put(name, whole)
        return names()

    storage.names = names_a_moment_later  # type: ignore[method-assign]
    assert [record for frame in frames for record in frame.records()] == records(3, 5)


def test_pruned_before_and_meanwhile() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    append(log, *COUNTS)
    slow = Cursor(storage)
    next(slow.frames())
    snapshots.write(storage, log.last_seq, [b"state"], meta={})
    log.prune(log.last_seq)
    with pytest.raises(RecordPruned) as caught:
        poll(slow)
    assert caught.value.first_seq == log.first_seq
    with pytest.raises(RecordPruned):
        poll(Cursor(storage))
    assert poll(Cursor(storage, log.first_seq)) == records(log.first_seq, log.last_seq)


def test_log_that_ends_before_what_was_asked_for() -> None:
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    with pytest.raises(LogDamaged) as caught:
        list(frames_between(storage, 1, sum(COUNTS) + 1))
    assert str(sum(COUNTS) + 1) in caught.value.damage.expected
    with pytest.raises(LogDamaged):
        list(frames_between(MemoryStorage(), 1, 1))
