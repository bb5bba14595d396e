"""How long to wait before trying again, and when to give up.

The wait is a random part of a bound that doubles up to a maximum ("full jitter"), so that many
clients who lost one server don't come back at one moment.
"""

import random
from typing import Final

import trio
from msgspec import Struct


class Patience(Struct, frozen=True, kw_only=True):
    """How failures are met. All in seconds.

    `give_up_s`: so long may something fail in a row; `math.inf` goes on for ever.
    `reply_s_max`: an answer that takes longer counts as lost.
    """

    first_s: float = 0.1
    most_s: float = 10.0
    give_up_s: float = 30.0
    reply_s_max: float = 10.0


class Backoff:
    """Failures in a row, and the waits between them."""

    def __init__(self, patience: Patience, source: random.Random | None = None) -> None:
        self._patience: Final = patience
        self._random: Final = source or random.Random()
        self._bound_s = patience.first_s
        self._failing_since: float | None = None

    def reset(self) -> None:
        """It worked."""
        self._bound_s = self._patience.first_s
        self._failing_since = None

    def next_s(self, least_s: float = 0) -> float | None:
        """It failed: how long to wait now, None to give up. The server may ask for `least_s`."""
        now = trio.current_time()
        if self._failing_since is None:
            self._failing_since = now
        wait_s = least_s + self._random.uniform(0, self._bound_s)
        if now + wait_s - self._failing_since > self._patience.give_up_s:
            return None
        self._bound_s = min(2 * self._bound_s, self._patience.most_s)
        return wait_s
