"""How the process says why it ended (after BSD's sysexits where they fit)."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `tradeclear`."""

    OK = 0
    ERROR = 1
    USAGE = 2
    LOG_DAMAGED = 65
    """The log or a snapshot is not what was written, or replays differently: nothing was served."""
    UNAVAILABLE = 69
    """The address to listen on is taken or not allowed."""
    ENGINE_FAILED = 70
    """A command made the engine raise. It is quarantined: start again."""
    LOG_FAILED = 74
    """The log could not be written or synced. Mend the disk, then start again."""
    LOCKED = 75
    """Another process uses the log directory."""
    CONFIGURATION = 78
    """A setting can't be used."""
