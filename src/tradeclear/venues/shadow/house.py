"""What the house has resting, as the durable records tell it, and what others took of that."""

from typing import Final

from msgspec import Struct

from tradeclear.core.quoting import Place
from tradeclear.model.events import (
    OrderAmended,
    OrderCancelled,
    OrderEntered,
    Record,
    TradeExecuted,
)
from tradeclear.model.order import OrderState
from tradeclear.model.units import Lots
from tradeclear.venues.shadow.grid import Quantities

Takings = list[tuple[Place, Lots]]


class _Resting(Struct, frozen=True, gc=False):
    place: Place
    lots: Lots


class House:
    """The quoting client's orders on one instrument; begins with none."""

    def __init__(self, instrument: str, client_id: str, flow_client_id: str) -> None:
        """`flow_client_id` trades what the venue traded: that is no taking."""
        self.quantities: Final[Quantities] = {}
        """How much rests at each side and price; nothing is left out."""
        self._instrument: Final = instrument
        self._client_id: Final = client_id
        self._flow_client_id: Final = flow_client_id
        self._orders: Final[dict[str, _Resting]] = {}

    def take(self, record: Record) -> Takings:
        """Take in the next record; what users took with it, by the place of our orders."""
        takings: Takings = []
        for event in record.events:
            if isinstance(event, TradeExecuted):
                self._take_trade(event, takings)
            elif isinstance(event, OrderEntered):
                self._take_entered(event.order, takings)
            elif isinstance(event, (OrderCancelled, OrderAmended)):
                self._take_state(event.order)
        return takings

    def _take_trade(self, trade: TradeExecuted, takings: Takings) -> None:
        """A trade with an order that rested here. Of one that is coming in, its state tells."""
        order = self._orders.get(trade.maker_order_id)
        if order is None:
            return
        self._rest(trade.maker_order_id, order.place, trade.maker_remaining_quantity)
        bought = trade.taker_side == "buy"
        taker = trade.buy_client_id if bought else trade.sell_client_id
        if taker != self._flow_client_id:
            takings.append((order.place, trade.quantity))

    def _take_entered(self, order: OrderState, takings: Takings) -> None:
        """A quote came in. What it met was a user's: the venue's level has lost that much, too."""
        if self._take_state(order) and order.filled_quantity:
            takings.append(((order.side, order.price), order.filled_quantity))

    def _take_state(self, order: OrderState) -> bool:
        """Whether the order is the house's."""
        if order.client_id != self._client_id or order.instrument != self._instrument:
            return False
        lots = 0 if order.closed else order.remaining_quantity
        self._rest(order.order_id, (order.side, order.price), lots)
        return True

    def _rest(self, order_id: str, place: Place, lots: Lots) -> None:
        """From now on the order has `lots` resting at `place`."""
        before = self._orders.pop(order_id, None)
        if before is not None:
            self._add(before.place, -before.lots)
        if lots:
            self._orders[order_id] = _Resting(place, lots)
            self._add(place, lots)

    def _add(self, place: Place, lots: Lots) -> None:
        total = self.quantities.get(place, 0) + lots
        assert total >= 0, f"less than nothing rests at {place}"
        if total:
            self.quantities[place] = total
        else:
            del self.quantities[place]
