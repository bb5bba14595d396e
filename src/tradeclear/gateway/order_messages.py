"""Order entry by messages: commands with the client's `id`, each answered when it is durable.

The same for every carrier of texts. A message is one command or an array of them, each as the body
of its HTTP route with `op` ("place" if left out), `order_id` for cancel and amend, and an `id` that
comes back with the reply: `{"id":7,"status":201,"order":{…},"trades":[…]}`, or a problem.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw, Struct

from tradeclear.gateway.decode import RequestRefused, read_array, read_op, reader
from tradeclear.gateway.guard import internal_error
from tradeclear.gateway.orders import amend, cancel, place
from tradeclear.gateway.problems import MALFORMED_BODY, PROBLEM_JSON, Reply
from tradeclear.gateway.rate_limits import RateLimits
from tradeclear.gateway.reads import instrument_names
from tradeclear.gateway.refusals import refusal
from tradeclear.gateway.replies import answer
from tradeclear.gateway.requests import AmendElement, CancelElement, PlaceRequest
from tradeclear.model.commands import AmendOrder, CancelOrder, PlaceOrder
from tradeclear.model.errors import InvalidField, TradeclearError
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.outcome import Answer, Outcome
from tradeclear.telemetry.events import REQUEST_FAILED
from tradeclear.telemetry.logs import log
from tradeclear.telemetry.metrics import Metrics

LABEL: Final = "WS /ws/orders"
MESSAGE_BYTES_MAX: Final = 65_536
ELEMENTS_MAX: Final = 1_000
ID_CHARS_MAX: Final = 64

Tell = Callable[[bytes], None]
"""Sends one reply's text."""


class PlaceMessage(PlaceRequest, frozen=True, kw_only=True):
    """A new order; `id` comes back with the reply."""

    id: Raw = Raw(b"null")


class CancelMessage(CancelElement, frozen=True, kw_only=True):
    """A cancel; `id` comes back with the reply."""

    id: Raw = Raw(b"null")


class AmendMessage(AmendElement, frozen=True, kw_only=True):
    """An amend; `id` comes back with the reply."""

    id: Raw = Raw(b"null")


OrderMessage: TypeAlias = PlaceMessage | CancelMessage | AmendMessage

_READERS: Final[dict[str, Callable[[bytes], OrderMessage]]] = {
    "place": reader(PlaceMessage),
    "cancel": reader(CancelMessage),
    "amend": reader(AmendMessage),
}


class _Id(Struct):
    id: Raw = Raw(b"null")


_read_id = msgspec.json.Decoder(_Id).decode


class OrderMessages:
    """Commands in, replies out."""

    def __init__(self, exchange: Exchange, limits: RateLimits, metrics: Metrics) -> None:
        self._exchange: Final = exchange
        self._limits: Final = limits
        self._metrics: Final = metrics

    def take(self, text: bytes, address: str, tell: Tell) -> int | None:
        """Begin every command of a message; `tell` is called once for each, now or later.

        Returns how many replies there will be, None if the text is not even UTF-8.
        """
        if not _is_utf8(text):
            return None
        if text[:1] != b"[" and text.lstrip()[:1] != b"[":
            return self._begin(text, address, tell)
        try:
            elements = read_array(text)
            if len(elements) > ELEMENTS_MAX:
                raise InvalidField("message", f"must hold at most {ELEMENTS_MAX} commands")
        except TradeclearError as error:
            self._refuse(b"null", tell, error)
            return 1
        for element in elements:
            self._begin(bytes(element), address, tell)
        return len(elements)

    def _begin(self, text: bytes, address: str, tell: Tell) -> int:
        """Begin one command. Never raises for what a client sent."""
        sender = b""
        try:
            message = _READERS[read_op(text)](text)
            sender = _checked(bytes(message.id))
            self._limits.charge_address(address)
            command = self._command(message)
            if command.client_id is not None:
                self._limits.charge_client(command.client_id)
            self._exchange.submit_nowait(command, partial(self._answered, sender, tell))
        except TradeclearError as error:
            self._refuse(sender or _sender(text), tell, error)
        except Exception as error:
            log.exception(REQUEST_FAILED, route=LABEL, problem=repr(error))
            self._tell(sender or b"null", tell, internal_error())
        return 1

    def _command(self, message: OrderMessage) -> PlaceOrder | CancelOrder | AmendOrder:
        if isinstance(message, PlaceMessage):
            return place(message, None, self._exchange)
        if isinstance(message, CancelMessage):
            return cancel(message.order_id, message, None)
        names = self._exchange.peek(partial(instrument_names, order_ids=[message.order_id]))
        name = names.get(message.order_id)
        return amend(message.order_id, message, None, self._exchange, name)

    def _answered(self, sender: bytes, tell: Tell, told: Answer) -> None:
        if isinstance(told, Outcome):
            reply = answer(told, self._exchange)
            self._tell(sender, tell, reply, b'"replayed":true,' if told.replayed else b"")
        else:
            assert told is not None
            self._tell(sender, tell, refusal(told))

    def _refuse(self, sender: bytes, tell: Tell, error: TradeclearError) -> None:
        """Say no, when all that the no may rest on is durable."""

        def when_durable(told: Answer) -> None:
            self._tell(sender, tell, refusal(told if isinstance(told, TradeclearError) else error))

        self._exchange.when_durable(when_durable)

    def _tell(self, sender: bytes, tell: Tell, reply: Reply, mark: bytes = b"") -> None:
        self._metrics.requests[LABEL, reply.status] += 1
        status = b"" if reply.content_type == PROBLEM_JSON else b'"status":%d,' % reply.status
        tell(b'{"id":%b,%b%b%b' % (sender, mark, status, reply.body[1:]))


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _sender(text: bytes) -> bytes:
    """The `id` of a command that could not be read otherwise; null if it has none."""
    try:
        return _checked(bytes(_read_id(text).id))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, RequestRefused):
        return b"null"


def _checked(sender: bytes) -> bytes:
    """An `id` as it was written, if it can be sent back."""
    if sender[:1] in b"[{" or len(sender) > ID_CHARS_MAX:
        raise RequestRefused(
            MALFORMED_BODY,
            f"id must be a number or a string of at most {ID_CHARS_MAX} characters",
            field="id",
        )
    return sender
