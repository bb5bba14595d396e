"""The rule: nothing acknowledged is lost or doubled by kill -9, and the harness would notice."""

import os
from pathlib import Path

from tradeclear.testing.crash import run
from tradeclear.testing.server import NO_RATE_LIMITS
from tradeclear.wal import Cursor, PosixStorage

KILLS = 5
SEED = 20_251_120
FRAMES_DROPPED = 3

EARLY_ACKNOWLEDGEMENT = """
from collections import deque
from tradeclear.wal.log import Log

append, held = Log.append, deque()

def append_later(log, first_seq, records):
    held.append((first_seq, list(records)))
    return append(log, *held.popleft()) if len(held) > 4 else 0

Log.append = append_later
"""


async def test_kills_under_load(tmp_path: Path) -> None:
    report = await run(KILLS, SEED, tmp_path, connections=8)
    assert report.findings == []
    assert report.kills == KILLS
    assert report.acknowledged > 100
    assert report.retried > 0
    assert report.repeated >= report.acknowledged
    assert report.logs_verified == 1


async def test_lost_frames_are_noticed(tmp_path: Path) -> None:
    """Planted: the last frames, which were acknowledged, never reached the disk."""
    report = await run(1, SEED, tmp_path, connections=4, after_kill=drop_last_frames)
    assert report.count("lost") > 0


async def test_early_acknowledgement_is_noticed(tmp_path: Path) -> None:
    """Planted: the log is written four group commits after the replies went out."""
    (tmp_path / "sitecustomize.py").write_text(EARLY_ACKNOWLEDGEMENT)
    environment = {**NO_RATE_LIMITS, "PYTHONPATH": str(tmp_path)}
    report = await run(1, SEED, tmp_path, connections=4, environment=environment)
    assert report.count("lost") > 0


async def test_forgotten_keys_are_noticed(tmp_path: Path) -> None:
    """Planted: the exchange remembers one idempotency key, so that repeats take effect again."""
    environment = {**NO_RATE_LIMITS, "TRADECLEAR_IDEMPOTENCY_KEYS_MAX": "1"}
    report = await run(1, SEED, tmp_path, connections=4, environment=environment)
    assert report.count("lost") > 0
    assert report.count("doubled") > 0


def drop_last_frames(wal_dir: Path) -> None:
    """Cut the log on a frame's boundary: what is left is clean and shorter."""
    frames = list(Cursor(PosixStorage(wal_dir)).frames())
    first_dropped = frames[-FRAMES_DROPPED]
    os.truncate(wal_dir / first_dropped.file, first_dropped.offset)
