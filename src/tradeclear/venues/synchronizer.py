"""A stream of diffs and a snapshot made into one book, by Binance's rules. No I/O, no clock.

"How to manage a local order book correctly" (Binance Spot API, web-socket-streams): buffer the
diffs; ask for a snapshot; drop what it has; the first diff after it must reach back to it, and each
later one to the one before; else begin again.
"""

from collections import OrderedDict, deque
from typing import Final, Literal, TypeAlias

from tradeclear.venues.book import Book
from tradeclear.venues.messages import Diff, Snapshot, Ticker

DIFFS_MAX: Final = 10_000
"""So many diffs wait for a snapshot; of more, the oldest go, and the snapshot must be newer."""

TICKERS_MAX: Final = 4_096
"""So many best levels are kept to compare the book with."""

Step: TypeAlias = Literal["applied", "old", "waiting", "gap", "crossed", "different"]
"""What became of a diff. The last three: the book is lost, and a new snapshot is needed.

After a gap the book is right still, as of its `update_id`; the other two say that it is wrong.
"""

WRONG: Final = frozenset({"crossed", "different"})
LOST: Final = WRONG | {"gap"}


class Synchronizer:
    """`book` is in step with the stream, or None while a snapshot is needed."""

    def __init__(self) -> None:
        self.book: Book | None = None
        self.compared = 0
        """How often the book's best levels were held against the venue's own word, and equal."""
        self._waiting: Final[deque[Diff]] = deque(maxlen=DIFFS_MAX)
        self._tickers: Final[OrderedDict[int, Ticker]] = OrderedDict()

    @property
    def has_diffs(self) -> bool:
        """Whether anything waits for a snapshot."""
        return bool(self._waiting)

    def begin_again(self) -> None:
        """Forget everything: what comes next is from another connection."""
        self.book = None
        self._waiting.clear()
        self._tickers.clear()

    def take(self, diff: Diff) -> Step:
        """Apply the next diff, or keep it for when there is a snapshot."""
        book = self.book
        if book is None:
            self._waiting.append(diff)
            return "waiting"
        if diff.last <= book.update_id:
            return "old"
        if diff.first > book.update_id + 1:
            return self._lose("gap", diff)
        book.apply(diff.last, diff.bids, diff.asks)
        if book.crossed:
            return self._lose("crossed", diff)
        if not self._agrees(book):
            return self._lose("different", diff)
        return "applied"

    def take_snapshot(self, snapshot: Snapshot) -> bool:
        """Begin from `snapshot`. False if it is too old, or what waited has a gap: ask again."""
        while self._waiting and self._waiting[0].last <= snapshot.update_id:
            self._waiting.popleft()
        if self._waiting and self._waiting[0].first > snapshot.update_id + 1:
            return False
        book = Book(snapshot.update_id, snapshot.bids, snapshot.asks)
        if book.crossed:
            return False
        self.book = book
        waiting = list(self._waiting)
        self._waiting.clear()
        for diff in waiting:
            self.take(diff)
        return self.book is not None

    def take_ticker(self, ticker: Ticker) -> None:
        """Remember the venue's word on its best levels, which runs ahead of its diffs."""
        if self.book is None or ticker.update_id > self.book.update_id:
            self._tickers[ticker.update_id] = ticker
            if len(self._tickers) > TICKERS_MAX:
                self._tickers.popitem(last=False)

    def _agrees(self, book: Book) -> bool:
        """Whether the best levels are what the venue said of this very update, if it did."""
        ticker = None
        while self._tickers and next(iter(self._tickers)) <= book.update_id:
            update_id, told = self._tickers.popitem(last=False)
            ticker = told if update_id == book.update_id else None
        if ticker is None:
            return True
        if (book.bids.best(), book.asks.best()) != (ticker.bid, ticker.ask):
            return False
        self.compared += 1
        return True

    def _lose(self, why: Step, diff: Diff) -> Step:
        self.book = None
        self._waiting.append(diff)
        return why
