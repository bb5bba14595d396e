"""The rule: whichever call on the log is the last one, or fails, nothing acknowledged is lost."""

from pathlib import Path

import pytest

from tradeclear.testing.crash_jobs import Job, run
from tradeclear.testing.crash_report import Report
from tradeclear.testing.ledger import Finding
from tradeclear.testing.shim import SOURCE
from tradeclear.testing.shim_library import ShimUnavailable, library

SEED = 20_251_120
POINTS = 30
FAULTS = 30

EARLY_ACKNOWLEDGEMENT = """
from collections import deque
from tradeclear.wal.log import Log

append, close, held = Log.append, Log.close, deque()

def append_later(log, first_seq, records):
    held.append((first_seq, list(records)))
    return append(log, *held.popleft()) if len(held) > 2 else 0

def close_whole(log):
    while held:
        append(log, *held.popleft())
    close(log)

Log.append, Log.close = append_later, close_whole
"""


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    try:
        library(SOURCE)
    except ShimUnavailable as error:
        pytest.skip(str(error))


def jobs(sweep: str, folder: Path, count: int, **options: object) -> list[Job]:
    """Two logs: one that keeps everything, and one that removes old segments."""
    return [
        Job(
            sweep=sweep,
            log=log,
            seed=SEED,
            stages=3,
            folder=str(folder),
            count=count // 2,
            **options,
        )
        for log in range(2)
    ]


async def test_killed_at_a_sample_of_all_calls(tmp_path: Path) -> None:
    report = await run(jobs("kills", tmp_path, POINTS, recovery_every=15), 2)
    assert report.findings == []
    assert report.kills + report.missed == POINTS
    assert report.missed <= 1
    assert report.recovery_kills >= 6
    assert report.rotations >= 3
    assert report.snapshots >= 3
    assert report.acknowledged > POINTS
    assert report.repeated > report.acknowledged / 2


async def test_a_sample_of_all_calls_fails(tmp_path: Path) -> None:
    report = await run(jobs("errors", tmp_path, FAULTS), 2)
    assert report.findings == []
    assert report.faults + report.missed == FAULTS
    assert report.fatal_faults > FAULTS / 2
    assert report.acknowledged_after_fault == 0


async def test_early_acknowledgement_is_noticed(tmp_path: Path) -> None:
    """Planted: the log is two group commits late, but for an orderly stop, which loses nothing."""
    (tmp_path / "sitecustomize.py").write_text(EARLY_ACKNOWLEDGEMENT)
    planted = jobs("kills", tmp_path, POINTS, environment={"PYTHONPATH": str(tmp_path)})
    report = await run(planted[:1], 1)
    assert report.rotations >= 3, "it was noticed before anything was killed"
    assert report.count("lost") > 0


def test_findings_say_where_they_were_made() -> None:
    report = Report(findings=[Finding("lost", "an old one")])
    assert not report.place(1, "log 2")
    report.findings.append(Finding("lost", "an order"))
    assert report.place(1, "log 2")
    assert report.findings == [
        Finding("lost", "an old one"),
        Finding("lost", "log 2: an order"),
    ]
