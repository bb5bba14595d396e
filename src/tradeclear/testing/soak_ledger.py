"""A ledger that forgets when the exchange may: a long run has no end, and memory has.

The exchange remembers so many closed orders, trades and keys. What is newer must be there, to the
last field; what is older is counted here as it ended, so that the sums still hold every order.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from tradeclear.testing.ledger import Answer, Finding, Json, Ledger, Sent


class Windows(Struct, frozen=True, kw_only=True):
    """How much the exchange was told to remember."""

    closed_orders: int
    trades: int
    keys: int

    @property
    def slack(self) -> int:
        """Answers come in another order than records: near a window's end we can't know.

        No more commands than this are under way at once, of all traders together.
        """
        return min(1_000, self.closed_orders // 4, self.keys // 4)


class SoakLedger(Ledger):
    """The commands since the page was last turned, and every order and trade in its window."""

    def __init__(self, first_sequence: int, windows: Windows) -> None:
        super().__init__(first_sequence)
        self._windows: Final = windows
        self._fading: Final[set[str]] = set()
        self._swept_at: Final[dict[str, int]] = {}
        self._sequence_told = 0
        self._trade_forgotten = 0

    def acknowledge(self, sent: Sent, answer: Answer) -> list[Finding]:
        """As a ledger; what a cancel-all closed counts as closed by now."""
        swept_before = len(self.swept)
        found = super().acknowledge(sent, answer)
        if len(self.swept) > swept_before:
            closed = answer.json()["order_ids"]
            self._swept_at.update(dict.fromkeys(closed, self._sequence_told))
        return found

    def _learn(self, order: Json) -> None:
        super()._learn(order)
        self._sequence_told = max(self._sequence_told, order["updated_sequence"])

    def _trade(self, trade: Json) -> list[Finding]:
        if trade["trade_id"] <= self._trade_forgotten:
            return [Finding("doubled", f"trade {trade} was told of long ago")]
        return super()._trade(trade)

    def first_known(self) -> int:
        """The place of the first command whose key must be known still."""
        return max(0, len(self.sent) - self._windows.keys + self._windows.slack)

    def forget(self) -> list[str]:
        """Forget what the exchange has forgotten. Returns the orders that are gone."""
        self._forget_trades()
        closed = sorted(
            (self._closed_at(order), order_id)
            for order_id in self.told
            if (order := self.expected(order_id))["closed"]
        )
        windows = self._windows
        gone = [name for _, name in closed[: -windows.closed_orders - windows.slack]]
        faded = closed[: -windows.closed_orders + windows.slack]
        self._fading.clear()
        self._fading.update(name for _, name in faded[len(gone) :])
        for order_id in gone:
            self._forget_order(order_id)
        return gone

    def _closed_at(self, order: Json) -> int:
        return max(int(order["updated_sequence"]), self._swept_at.get(order["order_id"], 0))

    def _forget_order(self, order_id: str) -> None:
        order = self.expected(order_id)
        self.forgotten[order["side"]] += order["filled_quantity"]
        del self.told[order_id]
        self._by_order.pop(order_id, None)
        self._swept_at.pop(order_id, None)
        self.swept.discard(order_id)
        self.touched.discard(order_id)

    def _forget_trades(self) -> None:
        for trade_id in sorted(self.trades)[: -self._windows.trades]:
            self.forgotten["traded"] += self.trades.pop(trade_id)["quantity"]
            self._trade_forgotten = trade_id

    def turn_page(self, last_sequence: int) -> None:
        """Everything has been compared: the next commands count from here."""
        assert not self.unacknowledged(), "an outcome is unknown"
        self.sent.clear()
        self.first_sequence = last_sequence

    def check_order(self, order_id: str, shown: Json | None) -> list[Finding]:
        """As a ledger; an order that is about to be forgotten may be."""
        if shown is None and order_id in self._fading:
            return []
        return super().check_order(order_id, shown)

    def check_listing(self, clients: Iterable[str], shown: Iterable[Json]) -> list[Finding]:
        """As a ledger, with the same exception."""
        shown = list(shown)
        listed = {order["order_id"] for order in shown}
        fading = [self.told[name] for name in self._fading - listed]
        return super().check_listing(clients, [*shown, *fading])

    def check_sums(self, orders: Mapping[str, Json]) -> list[Finding]:
        """As a ledger; what was forgotten counts as it ended."""
        unseen = {name: self.expected(name) for name in self._fading - orders.keys()}
        return super().check_sums({**orders, **unseen})
