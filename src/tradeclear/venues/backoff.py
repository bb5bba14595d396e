"""Waits that double between tries, up to a bound."""

from typing import Final


class Backoff:
    """Gives the next wait, twice the one before; `reset` begins anew."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s: Final = first_s
        self._most_s: Final = most_s
        self._next_s = first_s

    def next_s(self) -> float:
        """How long to wait now."""
        wait_s = self._next_s
        self._next_s = min(2 * wait_s, self._most_s)
        return wait_s

    def reset(self) -> None:
        """It went well."""
        self._next_s = self._first_s
