"""Where the next commit is made: in place, or in a thread while the matcher goes on.

Handing a commit to a thread costs about as much as a fast disk's sync. So what counts is how fast
the disk is, and that shows only in place: a thread that comes back from the disk waits for the
interpreter as well, under load longer than for the disk. A commit in place now and then tells.
"""

from typing import Final

IN_PLACE_S_MAX: Final = 0.0005
"""A commit that is expected to take no longer is made in place."""

SURPRISE_S: Final = 4 * IN_PLACE_S_MAX
"""One commit in place that takes longer is enough to go back to the thread."""

SURPRISE_WEIGHT: Final = 0.2
"""How much one commit's time changes what is expected of the next."""

TRY_AFTER_MIN, TRY_AFTER_MAX = 16, 4_096
"""After so many commits in the thread one is made in place; after one in vain, twice as many."""


class Pace:
    """What a commit in place is expected to take, after those before it. Begins with the worst."""

    def __init__(self) -> None:
        self._expected_s = SURPRISE_S
        self._try_after = TRY_AFTER_MIN
        self._in_thread = 0

    @property
    def in_place(self) -> bool:
        """Whether a thread would cost more than it saves, or it is time to see."""
        return self._expected_s <= IN_PLACE_S_MAX or self._in_thread >= self._try_after

    def note(self, seconds: float, *, in_place: bool) -> None:
        """Learn from a commit: one that took so long, in place or in the thread."""
        if not in_place:
            self._in_thread += 1
            if seconds > IN_PLACE_S_MAX:
                return
            # Thread and all it was fast enough: there is nothing to try.
        if self._in_thread:
            self._judge(seconds)
        elif seconds > SURPRISE_S:
            self._expected_s = SURPRISE_S
        else:
            self._expected_s += SURPRISE_WEIGHT * (seconds - self._expected_s)

    def _judge(self, seconds: float) -> None:
        """Decide after the first fast commit, or the one in place that was due."""
        self._in_thread = 0
        if seconds <= IN_PLACE_S_MAX:
            self._expected_s = seconds
            self._try_after = TRY_AFTER_MIN
        else:
            self._expected_s = SURPRISE_S
            self._try_after = min(2 * self._try_after, TRY_AFTER_MAX)
