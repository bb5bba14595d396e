"""The next quote: the levels where the house has not what it should have, those at the top first.

A quote names absolute quantities, so one that is computed from a state that has moved on meanwhile
is a little late, never wrong by addition.
"""

from operator import itemgetter

from tradeclear.core.quoting import LEVELS_MAX
from tradeclear.model.commands import Quote
from tradeclear.model.units import Lots, Ticks
from tradeclear.venues.shadow.grid import Quantities

Levels = tuple[tuple[Ticks, Lots], ...]


def difference(
    client_id: str, instrument: str, wanted: Quantities, resting: Quantities
) -> Quote | None:
    """What brings `resting` nearer to `wanted`; None where they are equal.

    At most `LEVELS_MAX` levels a side, the best prices first: what a market that moved has left
    behind stands there, and would be in its way. The rest is for the next quote.
    """
    bids: list[tuple[Ticks, Lots]] = []
    asks: list[tuple[Ticks, Lots]] = []
    for place in wanted.keys() | resting.keys():
        lots = wanted.get(place, 0)
        if lots != resting.get(place, 0):
            side, price = place
            (bids if side == "buy" else asks).append((price, lots))
    if not bids and not asks:
        return None
    return Quote(
        client_id,
        instrument,
        _best(bids, highest_first=True),
        _best(asks, highest_first=False),
    )


def _best(levels: list[tuple[Ticks, Lots]], *, highest_first: bool) -> Levels:
    return tuple(sorted(levels, key=itemgetter(0), reverse=highest_first)[:LEVELS_MAX])
