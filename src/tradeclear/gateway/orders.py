"""Requests to commands: everything that can be said without the book is checked here.

Plain functions without a clock or a socket, for every door alike. They raise `InvalidField` or
`RequestRefused`; what they return is complete, in integers, and ready for the log.
"""

import os
from typing import Final, Protocol

from msgspec import Raw, UnsetType
from msgspec.structs import replace

from tradeclear.core.idempotency import idempotency
from tradeclear.gateway.decode import RequestRefused, read_cancel, read_place
from tradeclear.gateway.fields import check_id, choose_key, number_text
from tradeclear.gateway.problems import UNKNOWN_ORDER
from tradeclear.gateway.requests import AmendRequest, CancelRequest, PlaceRequest
from tradeclear.model.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder
from tradeclear.model.errors import InvalidField
from tradeclear.model.instrument import Instrument
from tradeclear.model.units import Lots, Ticks

NO_CLIENT: Final = ""
"""Whose keys those of a cancel or amend without `client_id` are. No client can be called that."""

ORDER_IDS: Final = 256
"""So many ids are made at a time."""

_NO_BODY: Final = CancelRequest()
_order_ids: Final[list[str]] = []

_UUID: Final = b"xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx"
_RANDOM_COLUMNS: Final = [at for at, mark in enumerate(_UUID) if mark == ord("x")]
_VARIANT_COLUMN: Final = 19
_VARIANT: Final = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)


class Instruments(Protocol):
    """Where instruments are looked up: the exchange."""

    def instrument(self, name: str) -> Instrument | None:
        """The instrument of that name, trading or not."""

    def instruments(self) -> tuple[Instrument, ...]:
        """Every instrument, in the order of the configuration."""


def place_order(body: bytes, header_key: str | None, instruments: Instruments) -> PlaceOrder:
    """The command for a `POST /orders`."""
    return place(read_place(body), header_key, instruments)


def place(request: PlaceRequest, header_key: str | None, instruments: Instruments) -> PlaceOrder:
    """The command for a new order."""
    instrument = find_instrument(instruments, request.instrument)
    if not instrument.trading:
        raise InvalidField("instrument", f"{instrument.name} takes no new orders")
    client_id = check_id("client_id", request.client_id)
    order_id = request.order_id
    price = _price(request, instrument)
    quantity = _quantity(request.quantity, instrument)
    if quantity is None:
        raise InvalidField("quantity", "is required")
    if price:
        instrument.check_notional(price, quantity)
    command = PlaceOrder(
        new_order_id() if order_id is None else check_id("order_id", order_id),
        client_id,
        instrument.name,
        request.side,
        request.type,
        price,
        quantity,
        request.time_in_force,
        request.post_only,
        request.self_trade_prevention,
        None,
        order_id is None,
    )
    key = request.idempotency_key
    if key is None and header_key is None:
        return command
    key = choose_key(header_key, key)
    assert key is not None
    return replace(command, idempotency=idempotency(client_id, key, command))


def _price(request: PlaceRequest, instrument: Instrument) -> Ticks:
    """The order's price, 0 for a market order; its type must fit the rest of its terms."""
    text = number_text("price", request.price)
    if request.type == "market":
        if text is not None:
            raise InvalidField("price", "must be left out of a market order")
        if request.post_only:
            raise InvalidField("post_only", "is for limit orders")
        return 0
    if text is None:
        raise InvalidField("price", "is required for a limit order")
    if request.post_only and request.time_in_force != "gtc":
        raise InvalidField("post_only", "goes with time_in_force gtc only")
    return instrument.price_ticks(text)


def _quantity(value: Raw | UnsetType, instrument: Instrument) -> Lots | None:
    text = number_text("quantity", value)
    return None if text is None else instrument.quantity_lots(text)


def cancel_order(
    order_id: str, body: bytes, client_id: str | None, header_key: str | None
) -> CancelOrder:
    """The command for a cancel; `client_id` is the query's, and the body may be empty."""
    request = read_cancel(body) if body else _NO_BODY
    if client_id is not None:
        if request.client_id not in (None, client_id):
            raise InvalidField("client_id", "differs between query and body: give one")
        request = replace(request, client_id=client_id)
    return cancel(order_id, request, header_key)


def cancel(order_id: str, request: CancelRequest, header_key: str | None) -> CancelOrder:
    """The command to cancel `order_id`."""
    command = CancelOrder(check_id("order_id", order_id), _optional_client(request.client_id))
    key = choose_key(header_key, request.idempotency_key)
    if key is None:
        return command
    client_id = command.client_id or NO_CLIENT
    return replace(command, idempotency=idempotency(client_id, key, command))


def amend(
    order_id: str,
    request: AmendRequest,
    header_key: str | None,
    instruments: Instruments,
    instrument_name: str | None,
) -> AmendOrder:
    """The command to amend `order_id`, an order on `instrument_name` (None: it is not known).

    An unknown order's instrument is guessed, for the matcher to have the last word: it may still
    remember the key of an amend whose order it has forgotten.
    """
    check_id("order_id", order_id)
    instrument = find_instrument(instruments, instrument_name)
    try:
        price, quantity = _new_terms(request, instrument)
    except InvalidField as error:
        if instrument_name is None:
            raise RequestRefused(UNKNOWN_ORDER, f"order {order_id} does not exist") from error
        raise
    command = AmendOrder(order_id, price, quantity, _optional_client(request.client_id))
    key = choose_key(header_key, request.idempotency_key)
    if key is None:
        return command
    client_id = command.client_id or NO_CLIENT
    return replace(command, idempotency=idempotency(client_id, key, command))


def _new_terms(request: AmendRequest, instrument: Instrument) -> tuple[Ticks, Lots]:
    """Price and quantity of an amend, 0 for what is to stay."""
    text = number_text("price", request.price)
    price = None if text is None else instrument.price_ticks(text)
    quantity = _quantity(request.quantity, instrument)
    if price is None and quantity is None:
        raise InvalidField("quantity", "or price is required")
    return price or 0, quantity or 0


def cancel_all(
    client_id: str, instrument: str | None, header_key: str | None, instruments: Instruments
) -> CancelAll:
    """The command to cancel a client's open orders, on one instrument or on all."""
    name = None if instrument is None else find_instrument(instruments, instrument).name
    command = CancelAll(check_id("client_id", client_id), name)
    key = choose_key(header_key, None)
    if key is None:
        return command
    return replace(command, idempotency=idempotency(client_id, key, command))


def find_instrument(instruments: Instruments, name: str | None) -> Instrument:
    """The instrument named, or the first one that trades. Raises `InvalidField`."""
    if name is not None:
        known = instruments.instrument(name)
        if known is None:
            names = ", ".join(one.name for one in instruments.instruments()[:20])
            raise InvalidField("instrument", f"is not known here; known are: {names}")
        return known
    for first in instruments.instruments():
        if first.trading:
            return first
    raise InvalidField("instrument", "is required: no instrument is trading")


def _optional_client(client_id: str | None) -> str | None:
    return None if client_id is None else check_id("client_id", client_id)


def new_order_id() -> str:
    """A random UUID (version 4), out of a batch: several times faster than one by one."""
    if not _order_ids:
        digits = os.urandom(16 * ORDER_IDS).hex().encode()
        texts = bytearray(_UUID * ORDER_IDS)
        for source, column in enumerate(_RANDOM_COLUMNS):
            texts[column :: len(_UUID)] = digits[source::32]
        columns = texts[_VARIANT_COLUMN :: len(_UUID)]
        texts[_VARIANT_COLUMN :: len(_UUID)] = columns.translate(_VARIANT)
        text = texts.decode()
        _order_ids.extend(text[at : at + len(_UUID)] for at in range(0, len(text), len(_UUID)))
    return _order_ids.pop()
