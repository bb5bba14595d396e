"""A book's copy in Redis: what stands there, and the commands that bring it up to date."""

from typing import Final

from tradeclear.mirror.connection import Command
from tradeclear.mirror.keys import CONFIRMED_MS, BookKeys
from tradeclear.mirror.members import depth_json, member, scored
from tradeclear.pipeline.book_image import BookImage, BookLevel

TOP_LEVELS: Final = 10
"""So many levels of each side are published."""


class Page:
    """One book's keys. `commands` tells what to write; `written` notes that it was."""

    def __init__(self, keys: BookKeys) -> None:
        self.keys: Final = keys
        self._bids: frozenset[BookLevel] | None = None
        self._asks: frozenset[BookLevel] | None = None

    def forget(self) -> None:
        """Nothing is known of what stands in Redis: write it whole the next time."""
        self._bids = self._asks = None

    @property
    def known(self) -> bool:
        """Whether what stands in Redis is known."""
        return self._bids is not None

    def commands(self, image: BookImage) -> list[Command]:
        """From what stands there to `image`, as one transaction.

        The last two replies are the sizes of the sets, for `written`.
        """
        keys = self.keys
        bids = _update(keys.bids, self._bids, image.bids, bids=True)
        asks = _update(keys.asks, self._asks, image.asks, bids=False)
        commands = bids + asks
        if image.sequence is not None:
            commands.append(("SET", keys.sequence, image.sequence))
        left_ms = CONFIRMED_MS - round(image.age_s * 1000)
        commands.append(("SET", keys.confirmed, "1", "PX", max(1, left_ms)))
        if bids or asks:
            commands.append(("PUBLISH", keys.channel, depth_json(image, TOP_LEVELS)))
        return [*commands, ("ZCARD", keys.bids), ("ZCARD", keys.asks)]

    def written(self, image: BookImage, sizes: tuple[int, int]) -> bool:
        """`image` stands there now; false if something else does: somebody else wrote or erased."""
        self._bids, self._asks = frozenset(image.bids), frozenset(image.asks)
        if sizes == (len(self._bids), len(self._asks)):
            return True
        self.forget()
        return False


def _update(
    key: str, was: frozenset[BookLevel] | None, levels: list[BookLevel], *, bids: bool
) -> list[Command]:
    if was is None:
        commands: list[Command] = [("DEL", key)]
        return [*commands, ("ZADD", key, *scored(levels, bids=bids))] if levels else commands
    now = frozenset(levels)
    commands = []
    if gone := was - now:
        commands.append(("ZREM", key, *map(member, gone)))
    if new := now - was:
        commands.append(("ZADD", key, *scored(new, bids=bids)))
    return commands
