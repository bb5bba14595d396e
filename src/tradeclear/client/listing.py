"""Orders, page by page, as one iteration that may be left at any time."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from tradeclear.client.order import Order
from tradeclear.client.replies import OrdersPage

Read = Callable[[str | None], Awaitable[OrdersPage]]
"""Reads the page at a cursor, the first for None."""


class Listing:
    """Iterate over it. Each page is asked for when it is needed; raises what asking does.

    No async generator: those are not closed by leaving a loop.
    """

    def __init__(self, read: Read) -> None:
        self._read: Final = read
        self._page: Iterator[Order] = iter(())
        self._cursor: str | None = None
        self._ended = False

    def __aiter__(self) -> "Listing":
        return self

    async def __anext__(self) -> Order:
        while (order := next(self._page, None)) is None:
            if self._ended:
                raise StopAsyncIteration
            page = await self._read(self._cursor)
            self._page = iter(page.orders)
            self._cursor = page.next_cursor
            self._ended = page.next_cursor is None
        return order
