"""Orders over HTTP: order entry, and what can be read of them."""

from collections.abc import Iterable
from typing import Final

from tradeclear.client.answer import Answer
from tradeclear.client.commands import new_key
from tradeclear.client.http import Http, quoted
from tradeclear.client.listing import Listing
from tradeclear.client.order import Order
from tradeclear.client.order_entry import OrderEntry
from tradeclear.client.persistence import persist
from tradeclear.client.replies import CancelAllReply, OrdersPage
from tradeclear.model.order import Status

PAGE_ORDERS_MAX: Final = 1_000


class Orders(OrderEntry):
    """A client's orders: placed, changed, found. One request each, many at once if you like."""

    def __init__(self, client_id: str, http: Http) -> None:
        super().__init__(client_id, http, http.patience)
        self._http: Final = http

    async def cancel_all(
        self, instrument: str | None = None, *, idempotency_key: str | None = None
    ) -> CancelAllReply:
        """Cancel the client's open orders, on one instrument or on all; up to 10,000 at a time."""
        key = idempotency_key or new_key()
        query = {"client_id": self.client_id}
        if instrument is not None:
            query["instrument"] = instrument

        async def attempt() -> Answer:
            return await self._http.ask("DELETE", "/orders", query, key=key)

        return (await persist(attempt, self._patience, key)).read(CancelAllReply)

    async def get(self, order_id: str) -> Order:
        """One order, anybody's. `Refused` with `unknown_order` if there is none."""

        async def attempt() -> Answer:
            return await self._http.ask("GET", f"/orders/{quoted(order_id)}")

        return (await persist(attempt, self._patience)).read(Order)

    async def page(
        self, *statuses: Status, limit: int = PAGE_ORDERS_MAX, cursor: str | None = None
    ) -> OrdersPage:
        """A page of the client's orders, newest first; of any status if none is given.

        It may hold fewer than `limit`, or none, although there are more.
        """
        query: dict[str, str | int] = {"client_id": self.client_id, "limit": limit}
        query |= _statuses(statuses)
        if cursor is not None:
            query["cursor"] = cursor

        async def attempt() -> Answer:
            return await self._http.ask("GET", "/orders", query)

        return (await persist(attempt, self._patience)).read(OrdersPage)

    def list(self, *statuses: Status) -> Listing:
        """Iterate over all the client's orders that the exchange remembers, newest first."""

        async def read(cursor: str | None) -> OrdersPage:
            return await self.page(*statuses, cursor=cursor)

        return Listing(read)


def _statuses(statuses: Iterable[Status]) -> dict[str, str]:
    names = ",".join(statuses)
    return {"status": names} if names else {}
