"""Our own books, as the mirror takes them: their best levels, durable, in exact decimal texts."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Final

import trio

from tradeclear.core.engine import Engine
from tradeclear.core.ladder import Ladder
from tradeclear.model.errors import OutcomeUnknown
from tradeclear.model.events import LevelChanged, Record
from tradeclear.model.instrument import Instrument
from tradeclear.model.units import Lots, Seq, Ticks
from tradeclear.pipeline.book_image import BookImage, BookLevel
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.publisher import SlowConsumer

RECORDS_MAX: Final = 65_536
"""With more records not looked at, every book counts as changed."""

PAUSE_S: Final = 0.1
"""Between two looks at what became durable."""

Row = tuple[Ticks, Lots, int]


class OwnBook:
    """One instrument's book."""

    def __init__(self, exchange: Exchange, instrument: Instrument) -> None:
        self.instrument: Final = instrument
        self._exchange: Final = exchange
        self._told: Final[list[Callable[[], None]]] = []
        self._texts: dict[Row, BookLevel] = {}

    def on_change(self, told: Callable[[], None]) -> None:
        self._told.append(told)

    def changed(self) -> None:
        """A durable record changed it."""
        for told in self._told:
            told()

    async def image(self, levels_max: int) -> BookImage | None:
        read = partial(_read, instrument=self.instrument.name, levels_max=levels_max)
        try:
            seq, bids, asks = await self._exchange.query(read)
        except OutcomeUnknown:
            return None
        known, self._texts = self._texts, {}
        image = BookImage(
            sequence=seq, bids=self._levels(bids, known), asks=self._levels(asks, known)
        )
        await trio.lowlevel.checkpoint()
        return image

    def _levels(self, rows: list[Row], known: dict[Row, BookLevel]) -> list[BookLevel]:
        """Levels of `rows`; those of the last time need not be written out again."""
        texts = {row: known.get(row) or self._level(row) for row in rows}
        self._texts |= texts
        return list(texts.values())

    def _level(self, row: Row) -> BookLevel:
        price, quantity, orders = row
        instrument = self.instrument
        return BookLevel(instrument.price_text(price), instrument.quantity_text(quantity), orders)


def _read(engine: Engine, instrument: str, levels_max: int) -> tuple[Seq, list[Row], list[Row]]:
    book = engine.books[instrument]
    return engine.seq, _rows(book.bids, levels_max), _rows(book.asks, levels_max)


def _rows(ladder: Ladder, levels_max: int) -> list[Row]:
    return [
        (level.price, level.quantity, len(level.queue))
        for level in islice(ladder.best_first(), levels_max)
    ]


class OwnBooks:
    """Every instrument's book. `run` is the task that tells of changes."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange: Final = exchange
        self.books: Final = {
            instrument.name: OwnBook(exchange, instrument) for instrument in exchange.instruments()
        }

    async def run(self) -> None:
        """Follow the log to its end."""
        while True:
            with self._exchange.follow(RECORDS_MAX) as subscription:
                self._tell(self.books)
                try:
                    while records := await subscription.take():
                        self._tell(_touched(records))
                        await trio.sleep(PAUSE_S)
                    return
                except SlowConsumer:
                    continue

    def _tell(self, names: Iterable[str]) -> None:
        for name in names:
            self.books[name].changed()


def _touched(records: list[Record]) -> set[str]:
    """The instruments whose books `records` changed."""
    return {
        event.instrument
        for record in records
        for event in record.events
        if type(event) is LevelChanged
    }
