"""The hot routes: the functions that Quart calls too, without a task where none is needed."""

from collections.abc import Callable
from functools import partial
from typing import Final

import trio

from tradeclear.gateway.batch import BatchRoutes
from tradeclear.gateway.door.head import Head, Hot
from tradeclear.gateway.door.response import response
from tradeclear.gateway.door.slot import Slot
from tradeclear.gateway.guard import internal_error
from tradeclear.gateway.order_routes import OrderRoutes
from tradeclear.gateway.orders import cancel_order, place_order
from tradeclear.gateway.problems import REQUEST_TIMEOUT, Reply, problem
from tradeclear.gateway.rate_limits import RateLimits, Taken
from tradeclear.gateway.refusals import refusal
from tradeclear.gateway.replies import answer
from tradeclear.gateway.routing import Call, Endpoint
from tradeclear.model.commands import CancelOrder, PlaceOrder
from tradeclear.model.errors import OutcomeUnknown, Overloaded, TradeclearError
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.outcome import Answer, Outcome
from tradeclear.telemetry.events import REQUEST_FAILED
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics

LABELS: Final[dict[Hot, str]] = {
    "place": "POST /orders",
    "cancel": "POST /orders/{order_id}/cancel",
    "delete": "DELETE /orders/{order_id}",
    "amend": "PATCH /orders/{order_id}",
    "batch": "POST /orders/batch",
}
STOPPED: Final = "the exchange stopped meanwhile: ask again with the idempotency key"
_CLOSE: Final = b"connection: close\r\n"


class HotOrders:
    """Answers placing and cancelling at once, batches and amends by the endpoints in a task."""

    def __init__(
        self,
        exchange: Exchange,
        limits: RateLimits,
        metrics: Metrics,
        tasks: trio.Nursery,
    ) -> None:
        self._exchange: Final = exchange
        self._submit: Final = exchange.submit_nowait
        self._limits: Final = limits
        self._metrics: Final = metrics
        self._endpoints: Final[dict[Hot, Endpoint]] = {
            "amend": OrderRoutes(exchange, limits).amend,
            "batch": BatchRoutes(exchange, limits).batch,
        }
        self._tasks: Final = tasks
        self._readers: Final[dict[Hot, Callable[[Head, bytes], PlaceOrder | CancelOrder]]] = {
            "place": self._read_place,
            "cancel": self._read_cancel,
            "delete": self._read_cancel,
        }

    def begin(self, slot: Slot, head: Head, body: bytes) -> None:
        """Answer one request, now or later. Never raises for what a client sent."""
        route = head.route
        try:
            self._limits.charge_address(slot.client.address)
            read = self._readers.get(route)
            if read is None:
                self._tasks.start_soon(self._run, slot, head, body)
                return
            if self._exchange.full:
                raise Overloaded  # before it is worth any work
            command = read(head, body)
            headers = b""
            client_id = command.client_id
            if client_id is not None:
                headers = _limit_headers(self._limits.charge_client(client_id))
            self._submit(command, partial(self._answered, slot, route, headers))
        except TradeclearError as error:
            self._fill(slot, route, refusal(error))
        except Exception as error:
            self._fill(slot, route, _fault(route, error))

    def too_slow(self, what: str, seconds: float) -> bytes:
        """The response to a request whose head or body did not come in time."""
        reply = problem(REQUEST_TIMEOUT, f"the {what} must be there within {seconds:g} s")
        self._metrics.requests["unmatched", reply.status] += 1
        return response(reply, _CLOSE)

    def outcome_unknown(self) -> bytes:
        """The response to a request that is given up."""
        reply = refusal(OutcomeUnknown(STOPPED))
        self._metrics.requests["unmatched", reply.status] += 1
        return response(reply)

    def _read_place(self, head: Head, body: bytes) -> PlaceOrder:
        return place_order(body, head.key, self._exchange)

    def _read_cancel(self, head: Head, body: bytes) -> CancelOrder:
        return cancel_order(head.order_id, body, None, head.key)

    def _answered(self, slot: Slot, route: Hot, headers: bytes, told: Answer) -> None:
        """The answer may leave: put it into words. Never raises: a commit waits for it."""
        try:
            if isinstance(told, Outcome):
                self._fill(slot, route, answer(told, self._exchange), headers)
            else:
                assert told is not None
                self._fill(slot, route, refusal(told))
        except Exception as error:
            self._fill(slot, route, _fault(route, error))

    async def _run(self, slot: Slot, head: Head, body: bytes) -> None:
        """A route that is a task of its own."""
        route = head.route
        call = Call(
            path={"order_id": head.order_id},
            body=body,
            key=head.key,
            address=slot.client.address,
        )
        try:
            reply = await self._endpoints[route](call)
        except TradeclearError as error:
            reply = refusal(error)
        except Exception as error:
            reply = _fault(route, error)
        self._fill(slot, route, reply)
        slot.client.hurry()

    def _fill(self, slot: Slot, route: Hot, reply: Reply, headers: bytes = b"") -> None:
        self._metrics.requests[LABELS[route], reply.status] += 1
        slot.fill(response(reply, headers))


def _fault(route: Hot, error: Exception) -> Reply:
    log.exception(REQUEST_FAILED, route=LABELS[route], problem=repr(error))
    return internal_error()


def _limit_headers(taken: Taken) -> bytes:
    if not taken.limit:
        return b""
    return b"ratelimit-limit: %d\r\nratelimit-remaining: %d\r\n" % (taken.limit, taken.remaining)
