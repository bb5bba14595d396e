"""What a command did to price levels, as events."""

from collections.abc import Iterable

from tradeclear.core.ladder import Level
from tradeclear.model.events import Event, LevelChanged
from tradeclear.model.order import Side


def level_changes(instrument: str, side: Side, levels: Iterable[Level]) -> list[Event]:
    """An event for each of `levels`, as they stand."""
    return [
        LevelChanged(instrument, side, level.price, level.quantity, len(level.queue))
        for level in levels
    ]


def newest_of_each_level(changes: Iterable[Event]) -> list[Event]:
    """One change a level: where a command touched it twice, the last one counts."""
    newest: dict[tuple[str, str, int], Event] = {}
    for change in changes:
        assert isinstance(change, LevelChanged)
        newest[change.instrument, change.side, change.price] = change
    return list(newest.values())
