"""The simulated venue: plays its market to whoever listens, and keeps the book that REST shows."""

from typing import Final

import trio

from tradeclear.testing.venue_sim.faults import Faults
from tradeclear.testing.venue_sim.hub import Hub
from tradeclear.testing.venue_sim.published import SimSource

PAUSE_S_MAX: Final = 10.0
FAULT_LOOK_S: Final = 0.05
SNAPSHOT_LEVELS_MIN: Final = 100
"""Who asks for so many levels wants to begin a book; who asks for fewer only polls."""


class Venue:
    """One market in play. `speed`: 1 as it was, 10 ten times that, 0 as fast as it goes."""

    def __init__(
        self, source: SimSource, *, speed: float = 1.0, loop: bool = False, wait: bool = False
    ) -> None:
        """`wait`: begin when somebody listens. `loop`: at the end, cut all off and begin anew."""
        self.symbol: Final = source.symbol
        self.faults: Final = Faults()
        self.hub: Final = Hub(self.faults)
        self.book = source.book()
        self.published = 0
        self.position_s = 0.0
        self.ended = trio.Event()
        """The market is over; the book can still be asked for."""
        self._source: Final = source
        self._speed: Final = speed
        self._loop: Final = loop
        self._wait: Final = wait
        self._asked = trio.Event()

    def snapshot_asked(self, levels: int) -> None:
        """Somebody was told the book."""
        if levels >= SNAPSHOT_LEVELS_MIN:
            self._asked.set()

    async def run(self) -> None:
        """Play the market, for ever or to its end."""
        if self._wait:
            await self.hub.wait_somebody()
        await self._play()
        while self._loop:
            for subscriber in tuple(self.hub.subscribers):
                await subscriber.close(1001, "the recording begins again")
            self.book = self._source.book()
            await self._play()
        self.ended.set()

    async def _play(self) -> None:
        begin = trio.current_time()
        for message in self._source.messages():
            if message.pause:
                # What was published until here is no longer waited for: time stands still.
                paused = trio.current_time()
                with trio.move_on_after(PAUSE_S_MAX):
                    await self._asked.wait()
                begin += trio.current_time() - paused
                continue
            if self._speed:
                await trio.sleep_until(begin + message.at_s / self._speed)
            else:
                await self.hub.wait_somebody()  # else all would be over before anybody listens
            if message.diff is not None:
                self.book.apply(message.diff.last, message.diff.bids, message.diff.asks)
            self.published += 1
            self.position_s = message.at_s
            await self.hub.publish(message)
