"""The followed market for those who show depth: the top as it changes, never a stale one."""

from typing import Final

import trio

from tradeclear.pipeline.book_image import BookImage, CopyUnavailable
from tradeclear.venues.market import Market

TOP_LEVELS: Final = 10

NOT_FOLLOWED: Final = "no outside market is followed: start with --feed binance"


class MarketCopies:
    """One market, or none, by the port that `WS /ws/depth` reads books from."""

    def __init__(self, market: Market | None) -> None:
        self._market: Final = market
        self._top: BookImage | None = None
        self._version = -1
        self._closed = False

    def close(self) -> None:
        """Show nothing any more: whoever waits is told that the exchange is stopping."""
        self._closed = True
        if self._market is not None:
            self._market.changed()

    def names(self) -> list[str]:
        """The market's symbol. Raises `CopyUnavailable` if none is followed."""
        return [self._followed().symbol]

    async def image(self, name: str, levels_max: int) -> BookImage:
        """The best levels. Raises `CopyUnavailable` while they are stale."""
        image = await self._followed().image(levels_max)
        return self._fit(image)

    async def newer_top(self, name: str, than: BookImage | None) -> BookImage:
        """The top levels, as soon as they are not `than`. Raises `CopyUnavailable` if stale."""
        market = self._followed()
        while True:
            version = market.version
            if version != self._version:
                self._keep(await market.image(TOP_LEVELS))
                self._version = version
            top = self._fit(self._top)
            if top is not than:
                await trio.lowlevel.checkpoint()
                return top
            await market.wait_changed(version)
            market = self._followed()

    def _keep(self, top: BookImage | None) -> None:
        """Keep the old image where its levels are the new one's: nobody needs to be told."""
        known = self._top
        if known is None or top is None or (known.bids, known.asks) != (top.bids, top.asks):
            self._top = top

    def _followed(self) -> Market:
        if self._closed:
            raise CopyUnavailable("the exchange is stopping")
        if self._market is None:
            raise CopyUnavailable(NOT_FOLLOWED)
        return self._market

    def _fit(self, image: BookImage | None) -> BookImage:
        """`image`, if what it shows is fresh now."""
        market = self._followed()
        reading = market.reading()
        if image is None or reading is None:
            raise CopyUnavailable(f"nothing is known of {market.symbol} yet")
        if reading.stale:
            raise CopyUnavailable(f"{market.symbol} was last heard of {reading.age_s:.1f} s ago")
        return image
