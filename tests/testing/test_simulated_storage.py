"""The simulated disk loses what was not synced, nothing else, and fails as it is told."""

from errno import EIO, ENOSPC
from random import Random

import pytest

from tradeclear.testing.simulated_storage import (
    DISK_BROKEN,
    KILL,
    Fault,
    Killed,
    SimulatedStorage,
)

SEEDS = range(200)
DATA = bytes(range(1, 201)) * 5


def content(storage: SimulatedStorage, name: str = "file") -> bytes:
    file = storage.open(name)
    return file.pread(0, file.size())


def with_file(data: bytes = b"synced") -> SimulatedStorage:
    storage = SimulatedStorage()
    file = storage.create("file")
    file.pwrite(0, data)
    file.fdatasync()
    storage.fsync_directory()
    return storage


def test_what_was_synced_survives_every_power_cut() -> None:
    for seed in SEEDS:
        storage = with_file()
        storage.open("file", write=True).pwrite(6, DATA)
        storage.power_cut(Random(seed))
        assert content(storage)[:6] == b"synced"


def test_what_was_not_synced_is_lost_torn_and_filled_with_zeros() -> None:
    found = set()
    for seed in SEEDS:
        storage = with_file(b"")
        storage.open("file", write=True).pwrite(0, DATA)
        storage.power_cut(Random(seed))
        left = content(storage)
        assert all(byte in (0, DATA[place]) for place, byte in enumerate(left))
        if left == DATA:
            found.add("whole")
        elif not left:
            found.add("lost")
        elif DATA.startswith(left):
            found.add("cut at a byte" if len(left) % 64 else "cut at a sector")
        elif not left.strip(b"\0"):
            found.add("zeros")
        else:
            found.add("later part without an earlier one")
    assert found == {
        "whole",
        "lost",
        "cut at a byte",
        "cut at a sector",
        "zeros",
        "later part without an earlier one",
    }


def test_a_truncation_is_durable_with_the_next_sync() -> None:
    lengths = set()
    for seed in SEEDS:
        storage = with_file()
        storage.open("file", write=True).truncate(2)
        storage.power_cut(Random(seed))
        lengths.add(len(content(storage)))
    assert lengths == {2, 6}


def test_names_are_lost_or_kept_in_any_subset() -> None:
    found = set()
    for seed in SEEDS:
        storage = with_file()
        storage.create("new").close()
        storage.rename("file", "other")
        storage.create("newest").close()
        storage.unlink("newest")
        storage.power_cut(Random(seed))
        found.add(tuple(sorted(storage.names())))
    assert ("file",) in found
    assert ("new", "other") in found
    assert ("file", "new") in found
    assert ("newest", "other") in found


def test_a_killed_process_leaves_the_page_cache_and_nothing_durable() -> None:
    storage = with_file()
    storage.open("file", write=True).pwrite(6, b" and seen")
    storage.process_crash()
    assert content(storage) == b"synced and seen"
    assert storage.durable("file") == b"synced"


def test_files_and_locks_end_with_their_process() -> None:
    storage = with_file()
    storage.lock()
    file = storage.open("file", write=True)
    storage.process_crash()
    with pytest.raises(Killed):
        file.pwrite(0, b"ghost")
    assert content(storage) == b"synced"
    storage.lock()


@pytest.mark.parametrize(("fault", "error"), [(Fault(ENOSPC), ENOSPC), (DISK_BROKEN, EIO)])
def test_the_chosen_call_fails_and_the_next_one_does_not(fault: Fault, error: int) -> None:
    storage = with_file()
    file = storage.open("file", write=True)
    storage.faults[storage.calls + 2] = fault
    file.pwrite(0, b"SYN")
    with pytest.raises(OSError) as raised:
        file.pwrite(0, b"synced")
    assert raised.value.errno == error
    assert content(storage) == b"SYNced"
    file.pwrite(0, b"again!")
    assert content(storage) == b"again!"


def test_short_write_then_full_disk() -> None:
    storage = with_file(b"")
    file = storage.open("file", write=True)
    storage.faults[storage.calls + 1] = Fault(ENOSPC, 0.5)
    with pytest.raises(OSError, match="simulated"):
        file.pwrite(0, b"abcdef")
    assert content(storage) == b"abc"


def test_after_a_kill_no_call_does_anything() -> None:
    storage = with_file()
    file = storage.open("file", write=True)
    storage.faults[storage.calls + 1] = KILL
    for _ in range(2):
        with pytest.raises(Killed):
            file.pwrite(0, b"SYNCED")
    with pytest.raises(Killed):
        storage.fsync_directory()
    storage.process_crash()
    assert content(storage) == b"SYNced"


def test_a_failed_sync_drops_the_data_though_the_next_one_succeeds() -> None:
    storage = with_file(b"")
    file = storage.open("file", write=True)
    file.pwrite(0, b"lost")
    storage.faults[storage.calls + 1] = DISK_BROKEN
    with pytest.raises(OSError, match="simulated"):
        file.fdatasync()
    assert content(storage) == b"lost"
    file.fdatasync()
    assert storage.durable("file") == b""
    file.pwrite(4, b"kept")
    file.fdatasync()
    assert storage.durable("file") == b"\0\0\0\0kept"


def test_power_cuts_of_one_seed_are_the_same() -> None:
    left = []
    for _ in range(2):
        storage = with_file()
        storage.open("file", write=True).pwrite(6, DATA)
        storage.create("new").pwrite(0, DATA)
        storage.power_cut(Random(7))
        left.append({name: content(storage, name) for name in sorted(storage.names())})
    assert left[0] == left[1]
