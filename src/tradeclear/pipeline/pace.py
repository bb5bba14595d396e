"""Where the next commit is made: in place, or in a thread while the matcher goes on.

Handing a commit to a thread costs about as much as a fast disk's sync. So what counts is how fast
the disk is, and that shows only in place: a thread that comes back from the disk waits for the
interpreter as well, under load longer than for the disk. A commit in place now and then tells.
"""

from typing import Final

IN_PLACE_S_MAX: Final = 0.0005
"""A commit that is expected to take no longer is made in place."""

SURPRISE_S: Final = 4 * IN_PLACE_S_MAX
"""One commit that takes longer is enough to go back to the thread."""

WORST_S: Final = 10 * IN_PLACE_S_MAX
"""What is expected at first, and after a surprise."""

SURPRISE_WEIGHT: Final = 0.2
"""How much one commit's time changes what is expected of the next."""

TRY_AFTER_MIN, TRY_AFTER_MAX = 16, 4_096
"""After so many commits in the thread one is made in place; after each stall, twice as many."""

TRUSTED_AFTER: Final = 64
"""So many commits in place without a stall, and the stalls before are forgotten."""


class Pace:
    """What a commit is expected to take, after those before it. Begins with the worst."""

    def __init__(self) -> None:
        self._expected_s = WORST_S
        self._try_after = TRY_AFTER_MIN
        self._in_thread = 0
        self._in_place = 0

    @property
    def in_place(self) -> bool:
        """Whether a thread would cost more than it saves, or it is time to see."""
        return self._expected_s <= IN_PLACE_S_MAX or self._in_thread >= self._try_after

    def note(self, seconds: float, *, in_place: bool) -> None:
        """Learn from a commit: one that took so long, in place or in the thread."""
        if in_place:
            self._judge(seconds)
        else:
            self._in_place = 0
            self._in_thread += 1
        if seconds > SURPRISE_S:
            self._expected_s = WORST_S
        else:
            self._expected_s += SURPRISE_WEIGHT * (seconds - self._expected_s)

    def _judge(self, seconds: float) -> None:
        """What a commit in place alone can tell: whether to make more of them."""
        if self._in_thread:
            self._in_thread = 0
            self._expected_s = seconds
        self._in_place += 1
        if seconds > SURPRISE_S:
            self._in_place = 0
            self._try_after = min(2 * self._try_after, TRY_AFTER_MAX)
        elif self._in_place >= TRUSTED_AFTER:
            self._try_after = TRY_AFTER_MIN
