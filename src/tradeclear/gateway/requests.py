"""The bodies that clients send, as structs: decoded by them, and described by them in the API.

Prices and quantities stay the text that they are (`Raw`): only the instrument turns text into
integers, and no float is ever made of them. Patterns are checked in `fields.py`, which is faster;
here they stand for the documentation.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from tradeclear.gateway.fields import ID_PATTERN, KEY_PATTERN
from tradeclear.model.instrument import NAME_PATTERN
from tradeclear.model.order import OrderType, SelfTradePrevention, Side, TimeInForce

_ID = {"pattern": f"^{ID_PATTERN}$", "minLength": 1, "maxLength": 64}
_KEY = {"pattern": f"^{KEY_PATTERN}$", "minLength": 1, "maxLength": 128}
_NUMBER: dict[str, list[dict[str, object]]] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "maxLength": 64},
    ]
}
_NUMBER_OR_NULL = {"anyOf": [*_NUMBER["anyOf"], {"type": "null"}]}
_ELEMENT = {
    "anyOf": [
        {"$ref": f"#/components/schemas/{kind}"}
        for kind in ("PlaceRequest", "CancelElement", "AmendElement")
    ]
}

OrderId = Annotated[
    str, Meta(description="Yours, or a UUID of ours if left out.", extra_json_schema=_ID)
]
ClientId = Annotated[str, Meta(description="Who trades.", extra_json_schema=_ID)]
InstrumentName = Annotated[
    str,
    Meta(
        description="The first instrument of the configuration if left out.",
        extra_json_schema={"pattern": f"^{NAME_PATTERN}$"},
    ),
]
IdempotencyKey = Annotated[
    str,
    Meta(
        description="Same key and same request: the first reply again. Or as a header.",
        extra_json_schema=_KEY,
    ),
]
Quantity = Annotated[
    Raw, Meta(description="Base currency, exact; a multiple of the lot.", extra_json_schema=_NUMBER)
]
OptionalPrice = Annotated[
    Raw | UnsetType,
    Meta(
        description="Quote currency, exact; a multiple of the tick.",
        extra_json_schema=_NUMBER_OR_NULL,
    ),
]
OptionalQuantity = Annotated[
    Raw | UnsetType,
    Meta(description="The new total, filled part included.", extra_json_schema=_NUMBER_OR_NULL),
]


class PlaceRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A new order. A limit order needs a `price`, a market order has none."""

    client_id: ClientId
    side: Side
    quantity: Quantity
    order_id: OrderId | None = None
    instrument: InstrumentName | None = None
    type: OrderType = "limit"
    price: OptionalPrice = UNSET
    time_in_force: TimeInForce = "gtc"
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = "none"
    idempotency_key: IdempotencyKey | None = None
    op: Literal["place"] = "place"


class CancelRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What may be said with a cancel. With `client_id`, only that client's order is cancelled."""

    client_id: ClientId | None = None
    idempotency_key: IdempotencyKey | None = None


class AmendRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """New terms for an open order: a `price`, a `quantity`, or both."""

    price: OptionalPrice = UNSET
    quantity: OptionalQuantity = UNSET
    client_id: ClientId | None = None
    idempotency_key: IdempotencyKey | None = None


class CancelElement(CancelRequest, frozen=True, kw_only=True):
    """A cancel in a batch."""

    order_id: OrderId
    op: Literal["cancel"]


class AmendElement(AmendRequest, frozen=True, kw_only=True):
    """An amend in a batch."""

    order_id: OrderId
    op: Literal["amend"]


class BatchRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to 1,000 operations, carried out in order, each for itself. Or just the array."""

    orders: Annotated[
        list[Annotated[Raw, Meta(extra_json_schema=_ELEMENT)]],
        Meta(
            description="`op` says what each is: place (if left out), cancel or amend.",
            extra_json_schema={"maxItems": 1000},
        ),
    ]
