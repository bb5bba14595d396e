"""What can go wrong with the log. Each exception tells its caller what to do."""

from msgspec import Struct

from tradeclear.model.errors import TradeclearError


class Damage(Struct, frozen=True, kw_only=True):
    """A place in a file that does not hold what the log's rules say must be there.

    `offset` in bytes; `last_good_seq` is the newest seq up to which the log is whole before it.
    `records_hit` is False where no record is missing: giving records up would not help.
    """

    file: str
    offset: int
    expected: str
    found: str
    remedy: str
    last_good_seq: int = 0
    records_hit: bool = True

    def __str__(self) -> str:
        return (
            f"{self.file} at byte {self.offset}: expected {self.expected}, found {self.found}. "
            f"{self.remedy}"
        )


class WalError(TradeclearError):
    """Root of this package's exceptions."""


class LogFailed(WalError):
    """A write or a sync failed: the log is closed to writes for good. Stop the process.

    What was being appended may or may not be there after a restart: its outcome is unknown.
    """


class LogDamaged(WalError):
    """The log is not what was written. Refuse to serve; see `remedy`. Nothing was changed."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(str(damage))
        self.damage = damage
        self.file = damage.file
        self.offset = damage.offset
        self.remedy = damage.remedy


class SnapshotDamaged(LogDamaged):
    """A snapshot is not what was written. Fall back to an older one that the log still reaches."""


class SnapshotFailed(WalError):
    """A snapshot could not be written; the log and older snapshots stand. Report it, try later."""


class SnapshotNotFound(WalError, LookupError):
    """There is no snapshot of that seq (any more)."""


class RecordNotFound(WalError, LookupError):
    """The log holds no record of that seq."""

    def __init__(self, message: str, seq: int) -> None:
        super().__init__(message)
        self.seq = seq


class RecordPruned(RecordNotFound):
    """The record is pruned: answer from history, or that it aged out."""

    def __init__(self, seq: int, first_seq: int) -> None:
        super().__init__(f"record {seq} is pruned: the log begins at {first_seq}", seq)
        self.first_seq = first_seq


class DirectoryLocked(WalError):
    """Another process writes in this directory. Stop it, or take another directory."""

    def __init__(self, directory: str, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"{directory} is in use by {holder}: only one process may write a log. "
            "Stop it first, or name another directory."
        )
        self.directory = directory
        self.pid = pid


class RepairRefused(WalError):
    """Repair would lose records that may have been acknowledged: a person decides on that."""
