"""How many files and connections this process may have open."""

from contextlib import suppress
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Final

DESCRIPTORS_MAX: Final = 65_536
"""Several times what the settings' defaults need; a hard limit may be a thousand million."""


def raise_descriptor_limit() -> None:
    """Take what the system allows, `DESCRIPTORS_MAX` at most; nothing if there is that much.

    The soft limit is 1,024 on most systems, for the sake of programs that use select(2). We don't,
    and 5,000 streams need more.
    """
    soft, hard = getrlimit(RLIMIT_NOFILE)
    most = DESCRIPTORS_MAX if hard == RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)
    if soft != RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):  # then with what there is
            setrlimit(RLIMIT_NOFILE, (most, hard))
