"""What a trader can ask for, as it goes over the wire.

Each command carries an idempotency key, so that it can be asked again until an answer comes, and
takes effect once.
"""

import os
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from tradeclear.model.order import OrderType, SelfTradePrevention, Side, TimeInForce


class Place(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="op", tag="place"):
    """A new order."""

    client_id: str
    side: Side
    quantity: Decimal
    idempotency_key: str
    price: Decimal | None = None
    type: OrderType = "limit"
    order_id: str | None = None
    instrument: str | None = None
    time_in_force: TimeInForce = "gtc"
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = "none"


class Cancel(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="op", tag="cancel"):
    """An order's end."""

    order_id: str
    idempotency_key: str
    client_id: str | None = None


class AmendTerms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """New terms for an open order; `quantity` is the new total."""

    idempotency_key: str
    client_id: str | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None


class Amend(AmendTerms, frozen=True, kw_only=True, tag_field="op", tag="amend"):
    """New terms, and the order that they are for."""

    order_id: str

    def terms(self) -> AmendTerms:
        """What goes to a route that names the order itself."""
        return AmendTerms(
            idempotency_key=self.idempotency_key,
            client_id=self.client_id,
            price=self.price,
            quantity=self.quantity,
        )


Command: TypeAlias = Place | Cancel | Amend

encode: Final = msgspec.json.Encoder(decimal_format="number").encode
"""A command as JSON, its numbers digit by digit as they were given."""


def new_key() -> str:
    """An idempotency key that nobody else makes: 128 random bits."""
    return os.urandom(16).hex()
