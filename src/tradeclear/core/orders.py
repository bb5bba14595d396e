"""The order table: every order the core remembers, by id, by client and by age.

Open orders stay for as long as they are open, closed ones until `closed_max` newer ones
have closed.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from tradeclear.core.lifecycle import Order
from tradeclear.model.order import is_closed
from tradeclear.model.units import Seq

SIBLINGS_BITS: Final = 8
"""A client's orders of one command are told apart by so many bits below its sequence."""


class Client(Struct, gc=False):
    """One client's remembered orders by number, oldest first: all of them, and the open ones.

    An order's number is its sequence, and its place among those of the same command.
    """

    orders: dict[int, Order]
    open: dict[int, Order]


class OrderTable:
    """Orders by id, by client, and closed ones in the order in which they closed."""

    __slots__ = (
        "_closed",
        "_closed_first",
        "_closed_max",
        "_closed_next",
        "by_id",
        "clients",
        "open_count",
    )

    def __init__(self, closed_max: int) -> None:
        self.by_id: dict[str, Order] = {}
        self.clients: dict[str, Client] = {}
        self.open_count = 0
        self._closed: dict[int, Order] = {}  # numbered places, oldest first; see ladder.py
        self._closed_first = 0
        self._closed_next = 0
        self._closed_max = closed_max

    def add(self, order: Order, sibling: int = 0) -> None:
        """Enter a new order, as it stands after it has met the book: open, or closed already.

        An open one must be closed by `close` when it can trade no more. `sibling` numbers the
        orders of one command.
        """
        self._enter(order, sibling)
        if is_closed(order.status, order.type):
            self._put_away(order)

    def _enter(self, order: Order, sibling: int) -> None:
        self.by_id[order.order_id] = order
        client = self.clients.get(order.client_id)
        if client is None:
            self.clients[order.client_id] = client = Client({}, {})
        number = order.number = (order.sequence << SIBLINGS_BITS) + sibling
        client.orders[number] = order
        if not is_closed(order.status, order.type):
            client.open[number] = order
            self.open_count += 1

    def close(self, order: Order) -> None:
        """Note that an open `order` closed."""
        del self.clients[order.client_id].open[order.number]
        self.open_count -= 1
        self._put_away(order)

    def _put_away(self, order: Order) -> None:
        """Keep a closed order, and forget the oldest one where there are too many."""
        self._closed[self._closed_next] = order
        self._closed_next += 1
        if len(self._closed) > self._closed_max:
            self._forget_oldest()

    def resize(self, closed_max: int) -> None:
        """Change the bound; what no longer fits is forgotten at once."""
        self._closed_max = closed_max
        while len(self._closed) > closed_max:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        order = self._closed.pop(self._closed_first)
        self._closed_first += 1
        self._drop(order)

    def forget_instrument(self, instrument: str) -> int:
        """Forget every closed order of `instrument`. Returns how many."""
        gone = [order for order in self._closed.values() if order.instrument == instrument]
        kept = [order for order in self._closed.values() if order.instrument != instrument]
        for order in gone:
            self._drop(order)
        self._closed = dict(enumerate(kept))
        self._closed_first, self._closed_next = 0, len(kept)
        return len(gone)

    def _drop(self, order: Order) -> None:
        del self.by_id[order.order_id]
        orders = self.clients[order.client_id].orders
        del orders[order.number]
        if not orders:
            del self.clients[order.client_id]

    def closed(self) -> Iterator[Order]:
        """Closed orders that are remembered, in the order in which they closed."""
        return iter(self._closed.values())

    def open_of(self, client_id: str) -> Iterator[Order]:
        """A client's open orders, oldest first."""
        client = self.clients.get(client_id)
        return iter(client.open.values() if client is not None else ())

    def newest_of(
        self, client_id: str, *, open_only: bool = False, before: Seq | None = None
    ) -> Iterator[Order]:
        """A client's orders, newest first, those placed before sequence `before` only."""
        client = self.clients.get(client_id)
        if client is None:
            return
        for order in reversed((client.open if open_only else client.orders).values()):
            if before is None or order.sequence < before:
                yield order

    def load(self, orders: list[Order], closed: list[Order]) -> None:
        """Fill an empty table with open `orders` and `closed` ones (in order of closing)."""
        everyone = sorted(orders + closed, key=lambda order: (order.sequence, order.order_id))
        sibling, last = 0, 0
        for order in everyone:
            sibling = sibling + 1 if order.sequence == last else 0
            last = order.sequence
            self._enter(order, sibling)
        for order in closed:
            self._put_away(order)
