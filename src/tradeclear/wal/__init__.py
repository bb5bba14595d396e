"""The write-ahead log: the only code that touches the disk. Plain blocking functions, no Trio.

`Log` is the writer's side: open, append, read, prune. `snapshots` are written and read beside it.
`Cursor`, `segments` and `verify` look at a directory, live or damaged, without disturbing it;
`repair` alone mends by hand. All of them work on a `Storage`, which `PosixStorage` is on a disk.
"""

from tradeclear.wal.cursor import Cursor
from tradeclear.wal.errors import (
    Damage,
    DirectoryLocked,
    LogDamaged,
    LogFailed,
    RecordNotFound,
    RecordPruned,
    RepairRefused,
    SnapshotDamaged,
    SnapshotFailed,
    SnapshotNotFound,
    WalError,
)
from tradeclear.wal.frame import Frame, frame_bytes_max, records_bytes_max
from tradeclear.wal.log import Log
from tradeclear.wal.posix import PosixStorage
from tradeclear.wal.recovery import RecoveryReport
from tradeclear.wal.repairs import RepairReport, repair
from tradeclear.wal.segment import SegmentInfo, segment_bytes_max_default
from tradeclear.wal.snapshot_file import SnapshotInfo
from tradeclear.wal.storage import File, Storage
from tradeclear.wal.verdict import TornTail
from tradeclear.wal.verification import VerifyReport, segments, verify

__all__ = [
    "Cursor",
    "Damage",
    "DirectoryLocked",
    "File",
    "Frame",
    "Log",
    "LogDamaged",
    "LogFailed",
    "PosixStorage",
    "RecordNotFound",
    "RecordPruned",
    "RecoveryReport",
    "RepairRefused",
    "RepairReport",
    "SegmentInfo",
    "SnapshotDamaged",
    "SnapshotFailed",
    "SnapshotInfo",
    "SnapshotNotFound",
    "Storage",
    "TornTail",
    "VerifyReport",
    "WalError",
    "frame_bytes_max",
    "records_bytes_max",
    "repair",
    "segment_bytes_max_default",
    "segments",
    "verify",
]
