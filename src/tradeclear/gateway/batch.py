"""Many operations in one request: each for itself, in order, answered when the last is durable."""

from collections import Counter
from functools import partial
from typing import Annotated, Final, TypeAlias

import trio
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.structs import replace

from tradeclear.gateway.decode import read_batch, read_element, read_places
from tradeclear.gateway.fields import check_key
from tradeclear.gateway.order_routes import COMMAND_PROBLEMS
from tradeclear.gateway.orders import Instruments, amend, cancel, place
from tradeclear.gateway.problems import PROBLEM_JSON, Reply
from tradeclear.gateway.rate_limits import RateLimits
from tradeclear.gateway.reads import instrument_names
from tradeclear.gateway.refusals import refusal
from tradeclear.gateway.replies import answer
from tradeclear.gateway.requests import AmendElement, BatchRequest, CancelElement, PlaceRequest
from tradeclear.gateway.routing import Call, Route
from tradeclear.gateway.views import OrderView, TradeView
from tradeclear.model.commands import AmendOrder, CancelOrder, PlaceOrder
from tradeclear.model.errors import InvalidField, TradeclearError
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.outcome import Answer, Outcome

ELEMENTS_MAX: Final = 1_000
TOGETHER_BYTES_MAX: Final = 262_144
"""A longer body is read an element at a time, with other tasks in between."""

TURN_ELEMENTS: Final = 64
"""So many elements are read or written before other tasks get their turn."""

Element: TypeAlias = PlaceRequest | CancelElement | AmendElement
Single: TypeAlias = PlaceOrder | CancelOrder | AmendOrder


_RESULT: Final = {
    "anyOf": [{"$ref": f"#/components/schemas/{kind}"} for kind in ("ElementDone", "Problem")]
}


class ElementDone(Struct, frozen=True):
    """What became of an element, as the route for it alone would have answered."""

    status: int
    order: OrderView
    trades: list[TradeView] | UnsetType = UNSET
    replayed: bool | UnsetType = UNSET


class BatchReply(Struct, frozen=True):
    """A result for each element, in order. Each has its own `status`."""

    results: list[Annotated[Raw, Meta(extra_json_schema=_RESULT)]]


class BatchRoutes:
    """`POST /orders/batch`."""

    def __init__(self, exchange: Exchange, limits: RateLimits) -> None:
        self._exchange: Final = exchange
        self._limits: Final = limits

    def routes(self) -> tuple[Route, ...]:
        """What is mounted."""
        return (
            Route(
                method="POST",
                path="/orders/batch",
                name="batch",
                summary="Place, cancel and amend up to 1,000 orders",
                tag="orders",
                endpoint=self.batch,
                body=BatchRequest,
                idempotent=True,
                replies={200: BatchReply},
                problems=COMMAND_PROBLEMS,
            ),
        )

    async def batch(self, call: Call) -> Reply:
        """Carry out every element. Cancelled, all elements have been taken or none."""
        places = self._paid_places(call)
        if places is not None:
            await trio.lowlevel.checkpoint()
            commands = [_placing(place, self._exchange) for place in places]
        else:
            elements = await self._read_each(call)
            names = await self._instrument_names(elements)
            commands = [_command(element, self._exchange, names) for element in elements]
        return await self._written(await self._submit_all(commands))

    def _paid_places(self, call: Call) -> list[PlaceRequest] | None:
        """The elements, if they are new orders alone and could be charged for together."""
        if call.key is not None or len(call.body) > TOGETHER_BYTES_MAX:
            return None
        places = read_places(call.body)
        if places is None or not 0 < len(places) <= ELEMENTS_MAX:
            return None
        clients = Counter([place.client_id for place in places])
        paid = self._limits.charge_together(call.address, clients, paid=1)
        return places if paid else None

    async def _read_each(self, call: Call) -> list[Element | TradeclearError]:
        """The elements one by one, each charged for itself."""
        raw = read_batch(call.body)
        if len(raw) > ELEMENTS_MAX:
            raise InvalidField("orders", f"must hold at most {ELEMENTS_MAX} elements")
        if call.key is not None:
            check_key("Idempotency-Key", call.key)
        elements: list[Element | TradeclearError] = []
        for index, element in enumerate(raw):
            elements.append(self._read(element, index, call))
            if not index % TURN_ELEMENTS:
                await trio.lowlevel.checkpoint()
        return elements

    def _read(self, raw: Raw, index: int, call: Call) -> Element | TradeclearError:
        """One element, paid for. The request's key, numbered, serves those that have none."""
        try:
            if index:
                self._limits.charge_address(call.address)
            element = read_element(raw)
            if element.client_id is not None:
                self._limits.charge_client(element.client_id)
        except TradeclearError as error:
            return error
        if call.key is None or element.idempotency_key is not None:
            return element
        return replace(element, idempotency_key=f"{call.key}/{index}")

    async def _instrument_names(self, elements: list[Element | TradeclearError]) -> dict[str, str]:
        """Order id to instrument for every amend, of orders of this very batch too."""
        names: dict[str, str] = {}
        ids = [element.order_id for element in elements if isinstance(element, AmendElement)]
        if ids:
            names = await self._exchange.query(partial(instrument_names, order_ids=ids))
            for element in elements:
                if isinstance(element, PlaceRequest) and element.order_id and element.instrument:
                    names.setdefault(element.order_id, element.instrument)
        return names

    async def _submit_all(self, commands: list[Single | TradeclearError]) -> list[Answer]:
        """Hand over everything at once. After one that is not taken none is, to keep the order."""
        answers: list[Answer] = [None] * len(commands)
        all_there = trio.Event()
        waiting = len(commands)

        def reply(index: int, told: Answer) -> None:
            nonlocal waiting
            answers[index] = told
            waiting -= 1
            if not waiting:
                all_there.set()

        submit = self._exchange.submit_nowait
        refused: TradeclearError | None = None
        for index, command in enumerate(commands):
            if isinstance(command, TradeclearError):
                reply(index, command)
            elif refused is not None:
                reply(index, refused)
            else:
                try:
                    submit(command, partial(reply, index))
                except TradeclearError as error:
                    reply(index, error)
                    refused = error
        if commands:
            await all_there.wait()
        else:
            await trio.lowlevel.checkpoint()
        return answers

    async def _written(self, answers: list[Answer]) -> Reply:
        results = []
        for index, told in enumerate(answers):
            results.append(_result(told, self._exchange))
            if not index % TURN_ELEMENTS:
                await trio.lowlevel.checkpoint()
        return Reply(200, b'{"results":[' + b",".join(results) + b"]}")


def _placing(request: PlaceRequest, instruments: Instruments) -> Single | TradeclearError:
    """A new order's command, or what is wrong with it."""
    try:
        return place(request, None, instruments)
    except TradeclearError as error:
        return error


def _command(
    element: Element | TradeclearError, instruments: Instruments, names: dict[str, str]
) -> Single | TradeclearError:
    """An element's command, or what is wrong with it."""
    if isinstance(element, PlaceRequest):
        return _placing(element, instruments)
    try:
        if isinstance(element, CancelElement):
            return cancel(element.order_id, element, None)
        if isinstance(element, AmendElement):
            name = names.get(element.order_id)
            return amend(element.order_id, element, None, instruments, name)
    except TradeclearError as error:
        return error
    return element


def _result(told: Answer, instruments: Instruments) -> bytes:
    """One reply's body, with its status and the mark of a replay inside."""
    if isinstance(told, Outcome):
        reply = answer(told, instruments)
        mark = b'"replayed":true,' if told.replayed else b""
    else:
        assert told is not None
        reply, mark = refusal(told), b""
    status = b"" if reply.content_type == PROBLEM_JSON else b'"status":%d,' % reply.status
    return b"{" + mark + status + reply.body[1:]
