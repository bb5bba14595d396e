"""Whatever was acknowledged survives a crash at any step, and a second one in the recovery from it.

A life of a log (appends, rotations, snapshots, pruning) is ended at each of its storage calls in
turn: by the end of the process, whose page cache stays, or by a power cut, which keeps any part of
what was not synced. The recovery is ended the same way at each of its calls.
"""

from contextlib import suppress
from random import Random

import pytest

from tradeclear.wal import LogFailed, SnapshotFailed, snapshots, verify

from .logs import append, open_log, read_all, record, records
from .memory_storage import Crash, MemoryStorage

COUNTS = (2, 1, 3, 1, 4, 1, 1, 2, 1, 3, 2, 4)
SEEDS = range(4)


class Life:
    """One process: what it was told is durable, and what it tried."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.attempted = 0
        self.snapshot: int | None = None

    def run(self, storage: MemoryStorage) -> None:
        log = open_log(storage)
        for number, count in enumerate(COUNTS):
            first_seq = log.last_seq + 1
            self.attempted = log.last_seq + count
            log.append(first_seq, records(first_seq, self.attempted))
            self.acknowledged = self.attempted
            if number % 4 == 2:
                state = (record(seq) for seq in range(1, self.acknowledged + 1))
                snapshots.write(storage, self.acknowledged, state, meta={"number": number})
                self.snapshot = self.acknowledged
            if number % 4 == 0 and self.snapshot is not None:
                snapshots.keep_newest(storage, 1)
                log.prune(self.snapshot)
        log.close()

    def check(self, storage: MemoryStorage) -> None:
        """Open the log as the next process would, and go on with it."""
        log = open_log(storage)
        assert self.acknowledged <= log.last_seq <= self.attempted
        assert read_all(log) == records(log.first_seq, log.last_seq)
        assert (
            log.first_seq == 1 or snapshots.newest_valid(storage, log_first_seq=log.first_seq).info
        )
        if self.snapshot is not None:
            newest = snapshots.newest_valid(storage, log_first_seq=log.first_seq).info
            assert newest is not None
            assert newest.seq >= self.snapshot
        append(log, 1, 2)
        last_seq = log.last_seq
        log.close()
        assert verify(storage).ok
        again = open_log(storage)
        assert (again.last_seq, again.recovery.torn) == (last_seq, None)
        again.close()


def steps_of_a_life() -> list[str]:
    storage = MemoryStorage()
    Life().run(storage)
    return storage.steps


STEPS = steps_of_a_life()


def test_life_has_everything() -> None:
    assert STEPS.count("create") >= 6
    assert STEPS.count("unlink") >= 2
    storage = MemoryStorage()
    Life().run(storage)
    assert verify(storage).first_seq > 1
    assert len(verify(storage).segments) >= 2


def crashed(step: int, share: float) -> tuple[Life, MemoryStorage]:
    """End a life at a step; of a write that is under way, `share` is done."""
    life, storage = Life(), MemoryStorage()
    storage.crash_at, storage.written_share = step, share
    with pytest.raises(Crash):
        life.run(storage)
    return life, storage


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_kill_at_every_step(share: float) -> None:
    for step in range(1, len(STEPS) + 1):
        life, storage = crashed(step, share)
        life.check(storage.restart())


@pytest.mark.parametrize("seed", SEEDS)
def test_power_cut_at_every_step(seed: int) -> None:
    random = Random(seed)
    for step in range(1, len(STEPS) + 1):
        life, storage = crashed(step, random.choice((0.5, 1.0)))
        life.check(storage.restart(random))


@pytest.mark.parametrize("power_cut", [False, True])
def test_second_crash_at_every_step_of_recovery(power_cut: bool) -> None:
    random = Random(1)
    recoveries = 0
    for step in range(1, len(STEPS) + 1):
        ended = False
        second_step = 0
        while not ended:
            second_step += 1
            life, storage = crashed(step, 0.5)
            storage.restart(random if power_cut else None)
            storage.crash_at = second_step
            try:
                open_log(storage)
                ended = True
            except Crash:
                recoveries += 1
            life.check(storage.restart(random if power_cut else None))
    assert recoveries > 2 * len(STEPS)


@pytest.mark.parametrize("power_cut", [False, True])
def test_failed_call_at_every_step(power_cut: bool) -> None:
    """An error ends the log too, and the restart finds the page cache as the kernel shows it."""
    random = Random(2)
    for step in range(1, len(STEPS) + 1):
        life, storage = Life(), MemoryStorage()
        storage.fail_at = step
        with suppress(LogFailed, SnapshotFailed):
            life.run(storage)
        life.check(storage.restart(random if power_cut else None))


def test_failed_sync_then_restart_then_power_cut() -> None:
    """What a failed sync left in the page cache is durable before it is served (pitfall 5)."""
    random = Random(3)
    for step, call in enumerate(STEPS, 1):
        if call not in ("fdatasync", "fsync_directory"):
            continue
        life, storage = Life(), MemoryStorage()
        storage.fail_at = step
        with suppress(LogFailed, SnapshotFailed):
            life.run(storage)
        log = open_log(storage.restart())
        append(log, 1, 1)
        life.acknowledged = life.attempted = log.last_seq
        life.check(storage.restart(random))


def test_failed_call_at_every_step_of_recovery() -> None:
    random = Random(4)
    for step in range(1, len(STEPS) + 1):
        for failing in range(1, 13):
            life, storage = crashed(step, 0.5)
            storage.restart()
            storage.fail_at = failing
            with suppress(LogFailed):
                open_log(storage)
            served = open_log(storage.restart()).last_seq
            life.acknowledged = max(life.acknowledged, served)
            life.check(storage.restart(random))
