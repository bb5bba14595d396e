"""Order entry over HTTP: place, cancel and amend, one at a time."""

from functools import partial
from typing import Final

from msgspec.structs import replace

from tradeclear.gateway.decode import read_amend
from tradeclear.gateway.orders import amend, cancel_all, cancel_order, place_order
from tradeclear.gateway.problems import (
    INVALID_FIELD,
    KEY_REUSED,
    KINDS,
    MALFORMED_BODY,
    OUTCOME_UNKNOWN,
    OVERLOADED,
    QUARANTINED,
    STOPPING,
    Kind,
    Reply,
)
from tradeclear.gateway.rate_limits import RateLimits
from tradeclear.gateway.reads import instrument_names
from tradeclear.gateway.replies import CancelAllReply, CancelReply, OrderReply, answer
from tradeclear.gateway.requests import AmendRequest, CancelRequest, PlaceRequest
from tradeclear.gateway.routing import Call, Parameter, Route, unquote_id
from tradeclear.model import reasons
from tradeclear.model.commands import Command
from tradeclear.pipeline.exchange import Exchange

CLIENT: Final = Parameter("client_id", "Only if the order is this client's.")
CANCEL_CLIENT: Final = Parameter("client_id", "Whose orders to cancel.", required=True)
CANCEL_INSTRUMENT: Final = Parameter("instrument", "Only on this instrument.")

COMMAND_PROBLEMS: Final = (
    MALFORMED_BODY,
    INVALID_FIELD,
    KEY_REUSED,
    QUARANTINED,
    OVERLOADED,
    STOPPING,
    OUTCOME_UNKNOWN,
)


def _kinds(*codes: int) -> tuple[Kind, ...]:
    return tuple(KINDS[code] for code in codes) + COMMAND_PROBLEMS


class OrderRoutes:
    """The routes that change orders."""

    def __init__(self, exchange: Exchange, limits: RateLimits) -> None:
        self._exchange: Final = exchange
        self._limits: Final = limits

    def routes(self) -> tuple[Route, ...]:
        """What is mounted."""
        return (
            Route(
                method="POST",
                path="/orders",
                name="place_order",
                summary="Place an order",
                tag="orders",
                endpoint=self.place,
                body=PlaceRequest,
                idempotent=True,
                replies={201: OrderReply},
                problems=_kinds(reasons.DUPLICATE_ORDER_ID),
            ),
            self._cancel_route("POST", "/orders/{order_id}/cancel", "cancel_order"),
            self._cancel_route("DELETE", "/orders/{order_id}", "delete_order"),
            Route(
                method="PATCH",
                path="/orders/{order_id}",
                name="amend_order",
                summary="Amend an order's price or total quantity",
                tag="orders",
                endpoint=self.amend,
                body=AmendRequest,
                idempotent=True,
                replies={200: OrderReply},
                problems=_kinds(
                    reasons.UNKNOWN_ORDER,
                    reasons.ORDER_CLOSED,
                    reasons.QUANTITY_NOT_ABOVE_FILLED,
                    reasons.AMEND_WOULD_CROSS,
                    reasons.OUTSIDE_LIMITS,
                ),
            ),
            Route(
                method="DELETE",
                path="/orders",
                name="cancel_all",
                summary="Cancel a client's open orders, up to 10,000 at a time",
                tag="orders",
                endpoint=self.cancel_all,
                parameters=(CANCEL_CLIENT, CANCEL_INSTRUMENT),
                idempotent=True,
                replies={200: CancelAllReply},
                problems=COMMAND_PROBLEMS,
            ),
        )

    def _cancel_route(self, method: str, path: str, name: str) -> Route:
        return Route(
            method=method,
            path=path,
            name=name,
            summary="Cancel an order",
            tag="orders",
            endpoint=self.cancel,
            parameters=(CLIENT,),
            body=CancelRequest,
            idempotent=True,
            replies={200: CancelReply},
            problems=_kinds(reasons.UNKNOWN_ORDER, reasons.ORDER_CLOSED),
        )

    async def place(self, call: Call) -> Reply:
        """`POST /orders`. Cancelled, the order is wholly taken or not at all."""
        command = place_order(call.body, call.key, self._exchange)
        return await self._submit(command, command.client_id)

    async def cancel(self, call: Call) -> Reply:
        """`POST /orders/{order_id}/cancel` and `DELETE /orders/{order_id}`."""
        order_id = unquote_id(call.path["order_id"])
        command = cancel_order(order_id, call.body, call.query.get("client_id"), call.key)
        return await self._submit(command, command.client_id)

    async def amend(self, call: Call) -> Reply:
        """`PATCH /orders/{order_id}`."""
        order_id = unquote_id(call.path["order_id"])
        request = read_amend(call.body)
        names = await self._exchange.query(partial(instrument_names, order_ids=[order_id]))
        command = amend(order_id, request, call.key, self._exchange, names.get(order_id))
        return await self._submit(command, command.client_id)

    async def cancel_all(self, call: Call) -> Reply:
        """`DELETE /orders?client_id=…`."""
        command = cancel_all(
            call.query["client_id"], call.query.get("instrument"), call.key, self._exchange
        )
        return await self._submit(command, command.client_id)

    async def _submit(self, command: Command, client_id: str | None) -> Reply:
        """Charge the client, have the command carried out, and put its outcome into words."""
        headers: tuple[tuple[str, str], ...] = ()
        if client_id is not None:
            headers = self._limits.charge_client(client_id).headers()
        outcome = await self._exchange.submit(command)
        reply = answer(outcome, self._exchange)
        return replace(reply, headers=reply.headers + headers)
