"""Snapshots: where a subscription begins, read from the engine and told in parts.

Reading runs between two commands, so it looks at a bounded part of the state and copies numbers;
texts are made of them part by part, when there is room for each.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from tradeclear.core.engine import Engine
from tradeclear.core.ladder import Ladder
from tradeclear.gateway.streams.message import Message
from tradeclear.gateway.streams.topic import Topic
from tradeclear.gateway.streams.updates import level_text, order_text
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import OrderState
from tradeclear.model.units import Lots, Seq, Ticks

LEVELS_MAX: Final = 20_000
"""So many levels of a side are in a snapshot."""

ORDERS_MAX: Final = 10_000
"""So many open orders of a client are in a snapshot."""

PART_LEVELS: Final = 500
PART_ORDERS: Final = 50

Row = tuple[Ticks, Lots, int]


class Book(NamedTuple):
    """Levels, best first."""

    bids: list[Row]
    asks: list[Row]
    complete: bool


class OpenOrders(NamedTuple):
    """A client's, oldest first."""

    orders: list[OrderState]
    complete: bool


class State(NamedTuple):
    """What topics begin with, all at one sequence. A topic without a snapshot is not in it."""

    sequence: Seq
    books: dict[Topic, Book]
    orders: dict[Topic, OpenOrders]

    @property
    def small(self) -> bool:
        """Whether it is told in one part each, so that nothing is held for long."""
        levels = (len(book.bids) + len(book.asks) for book in self.books.values())
        orders = (len(found.orders) for found in self.orders.values())
        return max(levels, default=0) <= PART_LEVELS and max(orders, default=0) <= PART_ORDERS


def read_state(engine: Engine, topics: Iterable[Topic]) -> State:
    """The present of `topics`, some or all of which may have none."""
    books: dict[Topic, Book] = {}
    orders: dict[Topic, OpenOrders] = {}
    for topic in topics:
        if topic.channel == "orderbook_deltas":
            books[topic] = _read_book(engine, topic.instrument)
        elif topic.channel == "orders":
            orders[topic] = _read_orders(engine, topic.client_id, topic.instrument)
    return State(engine.seq, books, orders)


def _read_book(engine: Engine, instrument: str) -> Book:
    book = engine.books[instrument]
    complete = max(len(book.bids), len(book.asks)) <= LEVELS_MAX
    return Book(_rows(book.bids), _rows(book.asks), complete)


def _rows(ladder: Ladder) -> list[Row]:
    return [
        (level.price, level.quantity, len(level.queue))
        for level in islice(ladder.best_first(), LEVELS_MAX)
    ]


def _read_orders(engine: Engine, client_id: str, instrument: str) -> OpenOrders:
    looked_at = islice(engine.orders.newest_of(client_id, open_only=True), 2 * ORDERS_MAX + 1)
    found = [order for order in looked_at if order.instrument == instrument]
    complete = len(found) <= ORDERS_MAX and next(looked_at, None) is None
    states = [order.state() for order in found[:ORDERS_MAX]]
    states.reverse()
    return OpenOrders(states, complete)


def parts(state: State, topic: Topic, instrument: Instrument) -> Iterator[Message]:
    """The `snapshot` messages of `topic`, each made when it is asked for; none if it has none."""
    if (book := state.books.get(topic)) is not None:
        yield from _book_parts(state.sequence, topic, book, instrument)
    elif (orders := state.orders.get(topic)) is not None:
        yield from _orders_parts(state.sequence, topic, orders, instrument)


def _book_parts(seq: Seq, topic: Topic, book: Book, instrument: Instrument) -> Iterator[Message]:
    bids, asks = book.bids, book.asks
    count = max(1, -(-(len(bids) + len(asks)) // PART_LEVELS))
    for part in range(count):
        first, end = part * PART_LEVELS, (part + 1) * PART_LEVELS
        past = len(bids)
        told = (
            _levels_text(bids[first:end], instrument),
            _levels_text(asks[max(0, first - past) : max(0, end - past)], instrument),
        )
        body = f'"bids":[{told[0]}],"asks":[{told[1]}]'
        yield _part(seq, topic, part + 1, count, book.complete, body)


def _levels_text(rows: list[Row], instrument: Instrument) -> str:
    return ",".join(level_text(*row, instrument) for row in rows)


def _orders_parts(
    seq: Seq, topic: Topic, found: OpenOrders, instrument: Instrument
) -> Iterator[Message]:
    count = max(1, -(-len(found.orders) // PART_ORDERS))
    for part in range(count):
        some = found.orders[part * PART_ORDERS : (part + 1) * PART_ORDERS]
        told = ",".join(order_text(order, instrument) for order in some)
        yield _part(seq, topic, part + 1, count, found.complete, f'"orders":[{told}]')


def _part(seq: Seq, topic: Topic, part: int, count: int, complete: bool, body: str) -> Message:
    client = f'"client_id":"{topic.client_id}",' if topic.client_id else ""
    text = (
        f'{{"type":"snapshot","channel":"{topic.channel}","instrument":"{topic.instrument}",'
        f'{client}"sequence":{seq},"part":{part},"parts":{count},'
        f'"complete":{"true" if complete else "false"},{body}}}'
    )
    return Message(text.encode())
