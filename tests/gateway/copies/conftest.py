"""An app over copies that a test sets as it likes."""

from typing import Any

import pytest
import trio

from tradeclear.gateway.app import App
from tradeclear.gateway.copies.app import create_copies_app
from tradeclear.gateway.rate_limits import RateLimits, TokenBuckets
from tradeclear.pipeline.book_image import BookImage, BookLevel, CopyUnavailable
from tradeclear.telemetry.metrics import Metrics

SOCKETS_MAX = 2


def levels(*texts: str) -> list[BookLevel]:
    """Levels written `price quantity`, an order each."""
    rows = [text.split() for text in texts]
    return [BookLevel(price, quantity, 1) for price, quantity in rows]


class SetCopies:
    """The port of copies, in memory."""

    def __init__(self) -> None:
        self.books: dict[str, BookImage] = {
            "BTC-USD": BookImage(
                sequence=7,
                bids=levels("100.5 0.25", "99 1"),
                asks=levels("101 0.00000001"),
                age_s=0.25,
            ),
            "ETH-USD": BookImage(sequence=7, bids=[], asks=[]),
        }
        self.problem: str | None = None
        self._news = trio.Event()

    def set(self, name: str, image: BookImage) -> None:
        """From now on it looks so."""
        self.books[name] = image
        self._tell()

    def fail(self, problem: str) -> None:
        """Nothing can be shown any more."""
        self.problem = problem
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def names(self) -> list[str]:
        if self.problem is not None:
            raise CopyUnavailable(self.problem)
        return list(self.books)

    async def image(self, name: str, levels_max: int) -> BookImage:
        self.names()
        await trio.lowlevel.checkpoint()
        book = self.books[name]
        return BookImage(
            sequence=book.sequence,
            bids=book.bids[:levels_max],
            asks=book.asks[:levels_max],
            age_s=book.age_s,
        )

    async def newer_top(self, name: str, than: BookImage | None) -> BookImage:
        while name in self.names() and self.books[name] is than:
            await self._news.wait()
        await trio.lowlevel.checkpoint()
        return self.books[name]


@pytest.fixture
def copies() -> SetCopies:
    return SetCopies()


@pytest.fixture
def app(copies: SetCopies) -> App:
    def unlimited() -> TokenBuckets:
        return TokenBuckets(rate_per_s=0, burst=1, clock=lambda: 0.0)

    limits = RateLimits(client=unlimited(), address=unlimited())
    return create_copies_app(copies, Metrics(), limits, sockets_max=SOCKETS_MAX)


@pytest.fixture
def client(app: App) -> Any:
    return app.test_client()
