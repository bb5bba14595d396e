"""The venue's trades as orders of our own: IOC, in the taker's direction, at the trade's price."""

from typing import Final

from tradeclear.core.quoting import Place
from tradeclear.model.commands import PlaceOrder
from tradeclear.model.errors import Overloaded, TradeclearError
from tradeclear.model.order import Side
from tradeclear.model.units import Lots, Seq
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.outcome import Answer
from tradeclear.telemetry.metrics import Metrics
from tradeclear.venues.messages import Trade
from tradeclear.venues.shadow.grid import Grid

ORDERS_MAX: Final = 1_000
"""So many orders may wait for their answers; trades that come then are dropped, and counted."""

TRADED_MAX: Final = 10_000
"""At so many prices a diff may be behind the trades."""


class Flow:
    """Sends the orders. `traded` says what the venue's book, as it was last told, still shows."""

    def __init__(self, exchange: Exchange, grid: Grid, client_id: str, metrics: Metrics) -> None:
        self.waiting = 0
        """How many orders are not answered yet."""
        self.traded: Final[dict[Place, Lots]] = {}
        self._exchange: Final = exchange
        self._grid: Final = grid
        self._client_id: Final = client_id
        self._metrics: Final = metrics
        self._prefix: str | None = None
        self._number = 0

    def open(self, seq: Seq) -> None:
        """Orders may be sent from now on; `seq` is a record that no other opening has."""
        self._prefix = f"{self._client_id}:{seq}:"
        self._number = 0

    def close(self) -> None:
        """No more orders for now."""
        self._prefix = None

    def take_diff(self) -> None:
        """The venue has told its levels anew: they are without what was traded until now."""
        self.traded.clear()

    def take_trade(self, trade: Trade) -> None:
        """Send an order for `trade`, or count why there is none."""
        if self._prefix is None:
            self._count("closed")
            return
        maker: Side = "buy" if trade.seller_was_taker else "sell"
        found = self._grid.taken(maker, trade.price, trade.quantity)
        if found is None:
            self._count("outside_limits")
            return
        place, lots = found
        if place in self.traded or len(self.traded) < TRADED_MAX:
            self.traded[place] = self.traded.get(place, 0) + lots
        self._send(place, lots, self._prefix)

    def _send(self, place: Place, lots: Lots, prefix: str) -> None:
        if self.waiting >= ORDERS_MAX:
            self._count("dropped")
            return
        maker, price = place
        taker: Side = "sell" if maker == "buy" else "buy"
        self._number += 1
        order = PlaceOrder(
            f"{prefix}{self._number}",
            self._client_id,
            self._grid.instrument.name,
            taker,
            "limit",
            price,
            lots,
            "ioc",
        )
        try:
            self._exchange.submit_nowait(order, self._answered)
        except Overloaded:
            self._count("dropped")
        except TradeclearError:
            self._count("closed")  # the exchange is stopping, or has failed
        else:
            self.waiting += 1
            self._count("sent")

    def _answered(self, _answer: Answer) -> None:
        self.waiting -= 1

    def _count(self, what: str) -> None:
        self._metrics.shadow_trades[what] += 1
