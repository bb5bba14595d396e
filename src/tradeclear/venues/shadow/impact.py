"""Users' impact: what they took of the house's levels and the venue does not know of.

It is taken off what is quoted, and comes back in equal steps over the refill time. Each taking
begins that anew for all that is still missing at its price. No clock: the time comes along.
"""

from typing import Final

from msgspec import Struct

from tradeclear.core.quoting import Place
from tradeclear.model.units import Lots

STEPS: Final = 10
"""In so many steps a level is refilled: each is an order in the book and a record in the log."""

PLACES_MAX: Final = 10_000
"""Of so many prices it is known what was taken; the one that was left alone longest goes."""


class _Taken(Struct, frozen=True, gc=False):
    lots: Lots
    since_s: float


class Impact:
    """What users took, by side and price. `refill_s`: after so long a level is whole again."""

    def __init__(self, refill_s: float) -> None:
        self.step_s: Final = refill_s / STEPS
        self._taken: Final[dict[Place, _Taken]] = {}  # in the order of `since_s`

    def __len__(self) -> int:
        """At how many prices something is missing, as of the last look."""
        return len(self._taken)

    def take(self, place: Place, lots: Lots, now_s: float) -> None:
        """Somebody took `lots` just now."""
        missing = self.missing(place, now_s) + lots
        self._taken.pop(place, None)
        self._taken[place] = _Taken(missing, now_s)
        if len(self._taken) > PLACES_MAX:
            del self._taken[next(iter(self._taken))]

    def missing(self, place: Place, now_s: float) -> Lots:
        """How much of what was taken is not refilled yet; rounded up to a lot."""
        taken = self._taken.get(place)
        if taken is None:
            return 0
        left = STEPS - int((now_s - taken.since_s) / self.step_s)
        return -(-taken.lots * left // STEPS) if left > 0 else 0

    def forget_refilled(self, now_s: float) -> None:
        """Forget where nothing is missing any more."""
        while self._taken:
            place = next(iter(self._taken))
            if self.missing(place, now_s):
                return
            del self._taken[place]
