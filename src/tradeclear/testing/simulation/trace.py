"""What happened in a run, step by step: to read when it failed, and to compare with another run."""

from hashlib import blake2b
from typing import Final

from tradeclear.testing.simulation.schedule import JumpingClock

LINES_MAX: Final = 200_000
"""A run of so many steps does not end by itself."""


class Endless(BaseException):
    """The run makes steps for ever."""


class Trace:
    """Every step, with its virtual time."""

    def __init__(self, clock: JumpingClock) -> None:
        self._clock: Final = clock
        self._lines: list[tuple[float, str, object]] = []

    def add(self, who: str, what: object) -> None:
        """Note a step. `what` must not change any more, and print the same in every process."""
        if len(self._lines) >= LINES_MAX:
            raise Endless(f"the run has made {LINES_MAX} steps")
        self._lines.append((self._clock.now_s, who, what))

    def __len__(self) -> int:
        return len(self._lines)

    def last(self, count: int) -> list[str]:
        """The newest steps as lines."""
        start = max(0, len(self._lines) - count)
        return [
            f"{number:6} {time_s:11.6f}s {who:10} {what}"
            for number, (time_s, who, what) in enumerate(self._lines[start:], start + 1)
        ]

    def digest(self) -> str:
        """The digest of all steps: equal for equal runs."""
        return blake2b(repr(self._lines).encode(), digest_size=16).hexdigest()
