"""Orders read over HTTP: one by its id, or a client's, page by page."""

from functools import partial
from typing import Final, get_args

import msgspec
from msgspec import Struct

from tradeclear.gateway.decode import RequestRefused
from tradeclear.gateway.fields import INTEGER_DIGITS_MAX, check_id, choices, integer
from tradeclear.gateway.problems import (
    INVALID_FIELD,
    OUTCOME_UNKNOWN,
    UNKNOWN_ORDER,
    Reply,
)
from tradeclear.gateway.reads import find_order, list_orders
from tradeclear.gateway.routing import Call, Parameter, Route, unquote_id
from tradeclear.gateway.views import OrderView, order_view
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import OrderState, Status
from tradeclear.pipeline.exchange import Exchange

STATUSES: Final[tuple[str, ...]] = get_args(Status)
PAGE_ORDERS: Final = 100
PAGE_ORDERS_MAX: Final = 1_000

_PARAMETERS: Final = (
    Parameter("client_id", "Whose orders; everybody's if left out."),
    Parameter("status", f"One or more of {', '.join(STATUSES)}, separated by commas."),
    Parameter(
        "limit",
        "At most so many orders. A page may hold fewer although there are more.",
        {"type": "integer", "minimum": 1, "maximum": PAGE_ORDERS_MAX, "default": PAGE_ORDERS},
    ),
    Parameter("cursor", "`next_cursor` of the page before."),
)


class OrdersReply(Struct, frozen=True):
    """Orders, newest first. `next_cursor` null: that was the last page."""

    orders: list[OrderView]
    next_cursor: str | None


_encode: Final = msgspec.json.Encoder().encode


class OrderReads:
    """The routes that read orders."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange: Final = exchange

    def routes(self) -> tuple[Route, ...]:
        """What is mounted."""
        return (
            Route(
                method="GET",
                path="/orders/{order_id}",
                name="get_order",
                summary="One order",
                tag="orders",
                endpoint=self.get,
                replies={200: OrderView},
                problems=(UNKNOWN_ORDER, INVALID_FIELD, OUTCOME_UNKNOWN),
            ),
            Route(
                method="GET",
                path="/orders",
                name="list_orders",
                summary="Orders, open and past, newest first",
                tag="orders",
                endpoint=self.list,
                parameters=_PARAMETERS,
                replies={200: OrdersReply},
                problems=(INVALID_FIELD, OUTCOME_UNKNOWN),
            ),
        )

    async def get(self, call: Call) -> Reply:
        """`GET /orders/{order_id}`."""
        order_id = check_id("order_id", unquote_id(call.path["order_id"]))
        order = await self._exchange.query(partial(find_order, order_id=order_id))
        if order is None:
            raise RequestRefused(
                UNKNOWN_ORDER,
                f"order {order_id} does not exist, or closed so long ago that it is forgotten",
            )
        return Reply(200, _encode(self._view(order)))

    async def list(self, call: Call) -> Reply:
        """`GET /orders`."""
        query = call.query
        client_id = query.get("client_id")
        if client_id is not None:
            check_id("client_id", client_id)
        statuses = query.get("status")
        cursor = query.get("cursor")
        page = await self._exchange.query(
            partial(
                list_orders,
                client_id=client_id,
                statuses=choices("status", statuses, STATUSES) if statuses else frozenset(),
                before=integer("cursor", cursor, 1, 10**INTEGER_DIGITS_MAX) if cursor else None,
                limit=integer("limit", query.get("limit", str(PAGE_ORDERS)), 1, PAGE_ORDERS_MAX),
            )
        )
        following = None if page.before is None else str(page.before)
        return Reply(200, _encode(OrdersReply([self._view(o) for o in page.orders], following)))

    def _view(self, order: OrderState) -> OrderView:
        instrument = self._exchange.instrument(order.instrument)
        assert isinstance(instrument, Instrument), f"{order.instrument} is not configured"
        return order_view(order, instrument)
