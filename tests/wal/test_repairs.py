"""Repair cuts a torn tail, refuses damage, and gives up records only at the exact word."""

import pytest

from tradeclear.wal import DirectoryLocked, RepairRefused, repair, segments, snapshots, verify

from .logs import append, open_log, read_all, records, write_log
from .memory_storage import Crash, MemoryStorage

COUNTS = (2, 1, 3, 1, 4, 1, 1, 2, 1, 3)
LAST_SEQ = sum(COUNTS)


def damaged(number: int, offset: int) -> MemoryStorage:
    """A log of three segments with one bit wrong."""
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    name = segments(storage)[number].name
    content = bytearray(storage.content(name))
    content[offset] ^= 4
    storage.put(name, bytes(content))
    return storage


def last_good(storage: MemoryStorage) -> int:
    damage = verify(storage).damage
    assert damage is not None
    return damage.last_good_seq


def test_clean_log() -> None:
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    before = storage.files()
    report = repair(storage)
    assert (report.broken, report.last_seq) == ((), LAST_SEQ)
    assert storage.files() == before
    with pytest.raises(RepairRefused, match="nothing to give up"):
        repair(storage, lose_records_after=LAST_SEQ)


def test_torn_tail() -> None:
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    name = segments(storage)[-1].name
    storage.put(name, storage.content(name)[:-1])
    report = repair(storage)
    assert report.last_seq == LAST_SEQ - COUNTS[-1]
    assert report.recovery.torn is not None
    assert all(broken in storage.names() for broken in report.broken)
    assert verify(storage).ok


def test_locked_directory() -> None:
    storage = damaged(0, 100)
    storage.lock()
    with pytest.raises(DirectoryLocked):
        repair(storage, lose_records_after=last_good(storage))


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("wrong", [None, 0, 10**9])
def test_damage_is_refused(number: int, wrong: int | None) -> None:
    storage = damaged(number, 60)
    if wrong == last_good(storage):
        wrong = -1
    before = storage.files()
    with pytest.raises(RepairRefused, match="byte"):
        repair(storage, lose_records_after=wrong)
    assert storage.files() == before
    assert not storage.locked


@pytest.mark.parametrize(("number", "offset"), [(0, 60), (0, 200), (1, 10), (1, 200), (2, 60)])
def test_giving_up_what_is_behind_damage(number: int, offset: int) -> None:
    storage = damaged(number, offset)
    before = storage.files()
    good = last_good(storage)
    report = repair(storage, lose_records_after=good)
    assert (report.last_seq, report.lost_last_seq) == (good, LAST_SEQ if number < 2 else good)
    assert report.gave_up is not None
    assert verify(storage).ok
    for name, content in before.items():
        assert content == b"".join(
            storage.content(kept)
            for kept in sorted(storage.names())
            if kept == name or kept.startswith(f"{name}.")
        )
    log = open_log(storage)
    assert read_all(log) == records(1, good)
    append(log, 1)


def test_giving_up_behind_a_missing_segment() -> None:
    storage = damaged(0, 100)
    first, second, _ = segments(storage)
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    storage.put(second.name, None)
    assert last_good(storage) == first.last_seq
    assert repair(storage, lose_records_after=first.last_seq).last_seq == first.last_seq
    assert verify(storage).ok
    assert open_log(storage).last_seq == first.last_seq


def test_snapshots_of_lost_records_are_set_aside() -> None:
    storage = damaged(1, 200)
    good = last_good(storage)
    snapshots.write(storage, good, [b"old"], meta={})
    snapshots.write(storage, LAST_SEQ, [b"new"], meta={})
    repair(storage, lose_records_after=good)
    assert snapshots.seqs(storage) == [good]
    assert f"snapshot-{LAST_SEQ:020d}.snap.0.broken" in storage.names()
    assert open_log(storage).last_seq == good


def test_log_that_lacks_its_end() -> None:
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    snapshots.write(storage, LAST_SEQ, [b"new"], meta={})
    last = segments(storage)[-1]
    storage.put(last.name, storage.content(last.name)[:48])
    good = last_good(storage)
    assert good == last.first_seq - 1
    repair(storage, lose_records_after=good)
    assert verify(storage).ok


def test_damage_without_lost_records_is_not_cut() -> None:
    storage = MemoryStorage()
    write_log(storage, *COUNTS)
    first = segments(storage)[0]
    storage.put(f"wal-{first.last_seq:020d}.log", b"stray")
    with pytest.raises(RepairRefused, match="move it elsewhere"):
        repair(storage, lose_records_after=first.last_seq)
    storage.put(f"wal-{first.last_seq:020d}.log", None)
    storage.put(first.name, storage.content(first.name) + bytes(9))
    with pytest.raises(RepairRefused, match="behind the seal"):
        repair(storage, lose_records_after=first.last_seq)


def test_nothing_left_to_keep() -> None:
    storage = damaged(0, 5)
    with pytest.raises(RepairRefused, match="left to keep"):
        repair(storage, lose_records_after=0)


@pytest.mark.parametrize(("number", "offset"), [(0, 200), (1, 10), (1, 200)])
def test_crash_at_every_step(number: int, offset: int) -> None:
    """The same command, given again, ends what the first began."""
    step = 0
    crashes = 0
    while step == crashes:
        step += 1
        storage = damaged(number, offset)
        good = last_good(storage)
        storage.steps.clear()
        storage.crash_at = step
        try:
            repair(storage, lose_records_after=good)
        except Crash:
            crashes += 1
        storage.restart()
        if verify(storage).damage is not None:
            assert last_good(storage) == good
            repair(storage, lose_records_after=good)
        assert open_log(storage).last_seq == good
    assert crashes > 4
