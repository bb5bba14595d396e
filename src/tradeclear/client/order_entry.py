"""Order entry: place, cancel and amend, whatever carries the commands."""

from typing import Final, Protocol

from msgspec.structs import replace

from tradeclear.client.answer import Answer
from tradeclear.client.backoff import Patience
from tradeclear.client.commands import Amend, Cancel, Command, Place, encode, new_key
from tradeclear.client.number import Number, exact, exact_or_none
from tradeclear.client.order import Order
from tradeclear.client.persistence import persist
from tradeclear.client.replies import OrderReply
from tradeclear.model.errors import InvalidField
from tradeclear.model.order import OrderType, SelfTradePrevention, Side, TimeInForce

COMMAND_BYTES_MAX: Final = 960
"""No command that the exchange would take is longer; so 64 of them fit into one message."""


class Carrier(Protocol):
    """What brings a command to the exchange and its answer back."""

    async def carry(self, command: Command, text: bytes) -> Answer:
        """Ask once. `text` is the command in JSON.

        Raises `Unreachable` if nothing was sent, `Disconnected` if no answer came.
        """


class OrderEntry:
    """Places, cancels and amends the orders of `client_id`.

    Every command is asked again until it is answered, with one idempotency key, so that it takes
    effect once; give a key of your own to be able to ask again after a crash of yours. Raises
    `InvalidField` for what can't be sent, and whatever `persist` does. Cancelled, a command may or
    may not have been taken.
    """

    def __init__(self, client_id: str, carrier: Carrier, patience: Patience) -> None:
        self.client_id: Final = client_id
        self._carrier: Final = carrier
        self._patience: Final = patience

    async def place(
        self,
        side: Side,
        quantity: Number,
        price: Number | None = None,
        *,
        instrument: str | None = None,
        order_id: str | None = None,
        time_in_force: TimeInForce = "gtc",
        post_only: bool = False,
        self_trade_prevention: SelfTradePrevention = "none",
        idempotency_key: str | None = None,
    ) -> OrderReply:
        """Place an order: a limit order with a `price`, a market order without.

        On the first instrument if `instrument` is None. An order that was `rejected` (no
        liquidity, post-only that would cross) is an answer, not an exception.
        """
        kind: OrderType = "market" if price is None else "limit"
        command = Place(
            client_id=self.client_id,
            side=side,
            quantity=exact("quantity", quantity),
            price=exact_or_none("price", price),
            type=kind,
            instrument=instrument,
            order_id=order_id,
            time_in_force=time_in_force,
            post_only=post_only,
            self_trade_prevention=self_trade_prevention,
            idempotency_key=idempotency_key or new_key(),
        )
        return await self._carry(command)

    async def cancel(self, order_id: str, *, idempotency_key: str | None = None) -> Order:
        """Cancel an order; its final state. `Refused` with `order_closed` if it was too late."""
        command = Cancel(
            order_id=order_id,
            client_id=self.client_id,
            idempotency_key=idempotency_key or new_key(),
        )
        return (await self._carry(command)).order

    async def amend(
        self,
        order_id: str,
        *,
        price: Number | None = None,
        quantity: Number | None = None,
        idempotency_key: str | None = None,
    ) -> OrderReply:
        """Change an order's price, its total quantity, or both; None leaves it as it is."""
        command = Amend(
            order_id=order_id,
            client_id=self.client_id,
            price=exact_or_none("price", price),
            quantity=exact_or_none("quantity", quantity),
            idempotency_key=idempotency_key or new_key(),
        )
        return await self._carry(command)

    async def _carry(self, command: Command) -> OrderReply:
        text = encode(command)
        if len(text) > COMMAND_BYTES_MAX:
            raise InvalidField("order_id", "and the other names are longer than any may be")

        async def attempt() -> Answer:
            return await self._carrier.carry(command, text)

        answer = await persist(attempt, self._patience, command.idempotency_key)
        reply = answer.read(OrderReply)
        return replace(reply, replayed=True) if answer.replayed else reply
