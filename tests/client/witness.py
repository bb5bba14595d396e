"""Someone who knows only what the streams told, and is held against what the exchange says."""

from collections import deque
from decimal import Decimal
from typing import Any

from tradeclear.client import (
    Book,
    DepthSnapshot,
    DepthUpdate,
    Live,
    Message,
    Order,
    OrderBook,
    OrdersSnapshot,
    OrdersUpdate,
    Subscribed,
    Trade,
    TradesUpdate,
)

Side = tuple[tuple[Decimal, Decimal, int], ...]
State = tuple[Decimal, Decimal, Decimal, str, bool]


class Witness:
    """Rebuilds book, trades and orders from messages."""

    def __init__(self) -> None:
        self.book = Book()
        self.trades: list[Trade] = []
        self.orders: dict[str, State] = {}
        self.resumes: list[str] = []
        self.compared = 0
        self._shown: deque[OrderBook] = deque()

    def expect(self, shown: OrderBook) -> None:
        """A book that `GET /orderbook` showed: to be compared when its sequence is reached."""
        self._shown.append(shown)

    def take(self, message: Message) -> None:
        if isinstance(message, DepthUpdate):
            self._compare(message.sequence - 1)
            self.book.apply(message)
        elif isinstance(message, DepthSnapshot):
            self.book = Book() if message.part == 1 else self.book
            self.book.add_part(message)
        elif isinstance(message, TradesUpdate):
            self.trades += message.trades
        elif isinstance(message, OrdersSnapshot):
            self.orders.update((order.order_id, state(order)) for order in message.orders)
        elif isinstance(message, OrdersUpdate):
            for event in message.events:
                if event.order is not None:
                    self.orders[event.order.order_id] = state(event.order)
                else:
                    self.orders[event.order_id] = told_state(event)
        elif isinstance(message, Subscribed):
            self.resumes.append(message.resume)
        else:
            assert isinstance(message, Live)

    def _compare(self, until: int) -> None:
        """Hold the book against every book shown that is of its sequence or of no later change."""
        later: deque[OrderBook] = deque()
        for shown in self._shown:
            if shown.sequence > until:
                later.append(shown)
            elif shown.sequence >= self.book.sequence:
                self.assert_same(shown)
        self._shown = later

    def assert_same(self, shown: OrderBook) -> None:
        where = f"book at {self.book.sequence}, shown at {shown.sequence}"
        for name, ladder in (("bids", self.book.bids), ("asks", self.book.asks)):
            told = rows(ladder.top(1_000))
            assert told == rows(getattr(shown, name)), f"{name} differ: {where}"
        self.compared += 1


def rows(levels: Any) -> Side:
    return tuple((level.price, level.quantity, level.orders) for level in levels)


def state(order: Order) -> State:
    return (
        order.quantity,
        order.filled_quantity,
        order.remaining_quantity,
        order.status,
        order.closed,
    )


def told_state(event: Any) -> State:
    return (
        event.quantity,
        event.filled_quantity,
        event.remaining_quantity,
        event.status,
        event.closed,
    )
