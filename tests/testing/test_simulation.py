"""A seed is the same run every time; what must always hold does; and planted bugs are found."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import structlog

from tradeclear.core.idempotency import IdempotencyWindow
from tradeclear.pipeline import recovery
from tradeclear.pipeline.gate import CommitGate
from tradeclear.testing.simulated_storage import SimulatedFile, SimulatedStorage
from tradeclear.testing.simulation.run import run_seed
from tradeclear.testing.simulation.seeds import run_chunk, run_seeds
from tradeclear.wal import segment_writer
from tradeclear.wal import snapshots as snapshot_files

STEPS = 20
SEEDS = range(120)
CONTROL_SEEDS = range(100)
"""So many are enough to find each planted bug."""

DIGEST = (
    "from tradeclear.testing.simulation.run import run_seed\n"
    "print([run_seed(seed, 24).digest for seed in range(3, 15)])"
)


def test_everything_holds() -> None:
    report = run_seeds(SEEDS, STEPS, progress=lambda done, total: None)
    assert not report.failures, report.failures[0].problem
    assert report.seeds == len(SEEDS)
    seen = report.counts
    for what in (
        "lives killed",
        "lives failed",
        "lives in order",
        "power cuts",
        "snapshots",
        "segments",
        "prunings",
        "torn tails",
        "repeated answers",
        "unacknowledged records kept",
    ):
        assert seen[what] > 5, f"{what}: {seen}"
    assert seen["told"] > 1_000


def test_a_seed_is_the_same_run_every_time() -> None:
    assert len({run_seed(5, 40).digest for _ in range(10)}) == 1
    assert run_seed(5, 40).digest != run_seed(6, 40).digest


def test_a_seed_is_the_same_run_under_every_hash_seed() -> None:
    def digests(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", DIGEST],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.splitlines()[-1]

    assert len({digests(hash_seed) for hash_seed in ("0", "1", "2", "4711", "random")}) == 1


def test_jobs_make_no_difference() -> None:
    reports = [
        run_seeds(range(51), 10, jobs=jobs, progress=lambda done, total: None) for jobs in (1, 2)
    ]
    assert reports[0].counts == reports[1].counts


def test_the_process_is_left_as_it_was() -> None:
    def state() -> tuple[object, ...]:
        policy = os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else None
        return gc.isenabled(), gc.get_freeze_count(), policy, structlog.get_config()

    before = state()
    run_chunk(range(2), 10)
    assert state() == before


# Planted bugs


@pytest.fixture
def problem() -> Callable[[], str]:
    def first() -> str:
        for seed in CONTROL_SEEDS:
            _counts, failures, _seeds = run_chunk(range(seed, seed + 1), STEPS)
            if failures:
                assert failures[0].trace
                return failures[0].problem or ""
        raise AssertionError("the planted bug was not found")

    return first


def test_no_fdatasync(monkeypatch: pytest.MonkeyPatch, problem: Callable[[], str]) -> None:
    monkeypatch.setattr(SimulatedFile, "fdatasync", lambda self: None)
    assert "a power cut now would leave" in problem()


def test_no_fsync_of_the_directory(
    monkeypatch: pytest.MonkeyPatch, problem: Callable[[], str]
) -> None:
    monkeypatch.setattr(SimulatedStorage, "fsync_directory", lambda self: None)
    assert "a power cut now would leave" in problem()


def test_snapshot_without_fsync_of_the_directory(
    monkeypatch: pytest.MonkeyPatch, problem: Callable[[], str]
) -> None:
    monkeypatch.setattr(snapshot_files, "_sync_names", lambda storage: None)
    assert "is not durable" in problem()


def test_seal_is_not_synced(monkeypatch: pytest.MonkeyPatch, problem: Callable[[], str]) -> None:
    whole = segment_writer.SegmentWriter.rotate

    def rotate(self, storage):
        monkeypatch.setattr(SimulatedFile, "fdatasync", lambda file: None)
        try:
            return whole(self, storage)
        finally:
            monkeypatch.undo()
            monkeypatch.setattr(segment_writer.SegmentWriter, "rotate", rotate)

    monkeypatch.setattr(segment_writer.SegmentWriter, "rotate", rotate)
    assert "expected the seal" in problem()


def test_reply_before_the_sync(monkeypatch: pytest.MonkeyPatch, problem: Callable[[], str]) -> None:
    monkeypatch.setattr(
        CommitGate, "answer", lambda self, seq, reply, answer, since=0.0: reply(answer)
    )
    assert "a power cut now would leave" in problem()


def test_keys_lost_by_the_snapshot(
    monkeypatch: pytest.MonkeyPatch, problem: Callable[[], str]
) -> None:
    monkeypatch.setattr(IdempotencyWindow, "dump", lambda self: iter(()))
    found = problem()
    assert "one key" in found or "the hash" in found


def test_seq_skipped_on_replay(monkeypatch: pytest.MonkeyPatch, problem: Callable[[], str]) -> None:
    whole = recovery._replay_one
    monkeypatch.setattr(
        recovery,
        "_replay_one",
        lambda engine, stored: stored.seq % 7 == 3 or whole(engine, stored),
    )
    found = problem()
    assert "Diverged" in found or "the engine with" in found
