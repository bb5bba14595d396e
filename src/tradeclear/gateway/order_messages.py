"""Order entry by messages: commands with the client's `id`, each answered when it is durable.

The same for every carrier of texts. A message is one command or an array of them, each as the body
of its HTTP route with `op` ("place" if left out), `order_id` for cancel and amend, and an `id` that
comes back with the reply: `{"id":7,"status":201,"order":{…},"trades":[…]}`, or a problem.
`order_session.py` keeps a connection's commands in order and in bounds.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw, Struct

from tradeclear.gateway.decode import RequestRefused, read_array, read_op, reader
from tradeclear.gateway.guard import internal_error
from tradeclear.gateway.orders import amend, cancel, place
from tradeclear.gateway.problems import MALFORMED_BODY, PROBLEM_JSON, UNKNOWN_ORDER, Reply
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
_ID_BEGINS: Final = b'"-0123456789n'

Tell = Callable[[bytes], None]
"""Sends one reply's text."""

Later = Callable[[], None]
"""Begins a command that has to wait for those before it."""


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


_decode_place: Final = msgspec.json.Decoder(PlaceMessage).decode


def _read(text: bytes) -> OrderMessage:
    """What a text asks for: at once if it is a proper new order, as most are."""
    if b'"cancel"' not in text and b'"amend"' not in text:
        try:
            return _decode_place(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # what is wrong with it is explained below
    return _READERS[read_op(text)](text)


class _Id(Struct):
    id: Raw = Raw(b"null")


_read_id = msgspec.json.Decoder(_Id).decode


class OrderMessages:
    """Commands in, replies out. Every command is answered once; nothing here raises."""

    def __init__(self, exchange: Exchange, limits: RateLimits, metrics: Metrics) -> None:
        self._exchange: Final = exchange
        self._limits: Final = limits
        self._metrics: Final = metrics

    def begin(self, text: bytes, address: str, tell: Tell, *, alone: bool) -> Later | None:
        """Begin one command, which `text`, valid UTF-8, asks for; `tell` is called now or later.

        `alone`: none of the same sender is under way. An amend of an order that is not known yet
        can't be begun otherwise, for prices are counted in the ticks of the order's instrument;
        then what is returned begins it, and is to be called when the others are answered.
        """
        sender = b""
        try:
            self._limits.charge_address(address)
            message = _read(text)
            sender = _checked(bytes(message.id))
            if not alone and self._is_early(message):
                return partial(self._submit, message, sender, tell)
        except TradeclearError as error:
            self._refuse(sender or _sender(text), tell, error)
        except Exception as error:
            self._fault(sender or b"null", tell, error)
        else:
            self._submit(message, sender, tell)
        return None

    def split(self, text: bytes, address: str, tell: Tell) -> list[bytes] | None:
        """The commands of an array, none of them begun; None if its refusal is told instead."""
        try:
            elements = read_array(text)
            if len(elements) > ELEMENTS_MAX:
                raise InvalidField("message", f"must hold at most {ELEMENTS_MAX} commands")
            return [bytes(element) for element in elements]
        except TradeclearError as error:
            refused = error
        try:
            self._limits.charge_address(address)
        except TradeclearError as error:
            refused = error
        self._refuse(b"null", tell, refused)
        return None

    def _submit(self, message: OrderMessage, sender: bytes, tell: Tell) -> None:
        try:
            command = self._command(message)
            if command.client_id is not None:
                self._limits.charge_client(command.client_id)
            self._exchange.submit_nowait(command, partial(self._answered, sender, tell))
        except TradeclearError as error:
            self._refuse(sender, tell, error)
        except Exception as error:
            self._fault(sender, tell, error)

    def _command(self, message: OrderMessage) -> PlaceOrder | CancelOrder | AmendOrder:
        if isinstance(message, PlaceMessage):
            return place(message, None, self._exchange)
        if isinstance(message, CancelMessage):
            return cancel(message.order_id, message, None)
        name = self._instrument_name(message.order_id)
        command = amend(message.order_id, message, None, self._exchange, name)
        if name is None and not self._remembers(command):
            raise RequestRefused(UNKNOWN_ORDER, f"order {message.order_id} does not exist")
        return command

    def _is_early(self, message: OrderMessage) -> bool:
        """Whether it amends an order that is not known, or not yet."""
        return isinstance(message, AmendMessage) and not self._instrument_name(message.order_id)

    def _instrument_name(self, order_id: str) -> str | None:
        names = self._exchange.peek(partial(instrument_names, order_ids=[order_id]))
        return names.get(order_id)

    def _remembers(self, command: AmendOrder) -> bool:
        """Whether an amend was asked for before. Its order may be forgotten; its answer is not."""
        used = command.idempotency
        if used is None:
            return False
        return self._exchange.peek(lambda engine: engine.find_duplicate(used)) is not None

    def _answered(self, sender: bytes, tell: Tell, told: Answer) -> None:
        try:
            if isinstance(told, Outcome):
                reply = answer(told, self._exchange)
                self._tell(sender, tell, reply, b'"replayed":true,' if told.replayed else b"")
            else:
                assert told is not None
                self._tell(sender, tell, refusal(told))
        except Exception as error:
            self._fault(sender, tell, error)

    def _refuse(self, sender: bytes, tell: Tell, error: TradeclearError) -> None:
        """Say no, when all that the no may rest on is durable."""

        def when_durable(told: Answer) -> None:
            self._tell(sender, tell, refusal(told if isinstance(told, TradeclearError) else error))

        self._exchange.when_durable(when_durable)

    def _fault(self, sender: bytes, tell: Tell, error: Exception) -> None:
        log.exception(REQUEST_FAILED, route=LABEL, problem=repr(error))
        self._tell(sender, tell, internal_error())

    def _tell(self, sender: bytes, tell: Tell, reply: Reply, mark: bytes = b"") -> None:
        self._metrics.requests[LABEL, reply.status] += 1
        status = b"" if reply.content_type == PROBLEM_JSON else b'"status":%d,' % reply.status
        tell(b'{"id":%b,%b%b%b' % (sender, mark, status, reply.body[1:]))


def _sender(text: bytes) -> bytes:
    """The `id` of a command that could not be read otherwise; null if it has none."""
    try:
        return _checked(bytes(_read_id(text).id))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, RequestRefused):
        return b"null"


def _checked(sender: bytes) -> bytes:
    """An `id` as it was written, if it can be sent back."""
    if sender[:1] not in _ID_BEGINS or len(sender) > ID_CHARS_MAX:
        raise RequestRefused(
            MALFORMED_BODY,
            f"id must be a number or a string of at most {ID_CHARS_MAX} characters",
            field="id",
        )
    return sender
