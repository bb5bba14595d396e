"""The oracle: an exchange as one would explain it, to hold the engine's answers against.

Plain lists that are scanned and sorted anew for every question, and no structure that could be out
of step with another. It was written from the rules alone and shares no code with `core`; where the
two disagree, one of them is wrong.
"""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tradeclear.model import reasons
from tradeclear.model.commands import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    Configure,
    Idempotency,
    Limits,
    PlaceOrder,
    Quote,
)
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import (
    OrderState,
    OrderType,
    SelfTradePrevention,
    Side,
    Status,
    TimeInForce,
)
from tradeclear.model.units import Lots, Micros, Seq, TickLots, Ticks

FILLS_MAX: Final = 10_000
"""Orders that one command may meet: fills and prevented self-trades together."""
CANCELS_MAX: Final = 10_000
"""Orders that one cancel-all may close."""
QUOTED_LEVELS_MAX: Final = 50
"""Prices a side that one quote may name."""
QUOTED_ORDERS_MAX: Final = 16
"""Orders that quotes leave at one price."""


@dataclass(frozen=True, kw_only=True)
class ReferenceTrade:
    """Two orders met, by the command of `sequence`."""

    instrument: str
    buy_order_id: str
    sell_order_id: str
    maker_order_id: str
    buy_client_id: str
    sell_client_id: str
    price: Ticks
    quantity: Lots
    maker_quantity: Lots
    maker_remaining: Lots
    sequence: Seq
    timestamp: Micros


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command did. With `refused` (a number of `reasons.py`) it did nothing."""

    refused: int = 0
    order: OrderState | None = None
    """The order it spoke of, afterwards."""
    happened: tuple["ReferenceTrade | OrderState", ...] = ()
    """What it did to resting orders, in this order: trades; orders that it cancelled (on its way,
    or all those of a cancel-all) or left open with less; a quote's own orders as it left them."""
    remaining: int = 0
    """Orders that a cancel-all left open, levels that a quote left as they were."""
    forgotten: int = 0
    """Closed orders that a change of grid wiped from memory."""


@dataclass(kw_only=True, eq=False)
class ReferenceOrder:
    """An order, all of it. `arrival` grows with each order that joins the end of a queue."""

    order_id: str
    client_id: str
    instrument: str
    side: Side
    type: OrderType
    price: Ticks
    quantity: Lots
    time_in_force: TimeInForce
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    created_at: Micros
    updated_at: Micros
    sequence: Seq
    updated_sequence: Seq
    filled: Lots = 0
    notional: TickLots = 0
    status: Status = "open"
    reason: int = 0
    arrival: int = 0

    @property
    def remaining(self) -> Lots:
        return self.quantity - self.filled

    def crosses(self, resting: "ReferenceOrder") -> bool:
        """Whether this order's terms accept the resting one's price."""
        if self.instrument != resting.instrument or self.side == resting.side:
            return False
        if self.type == "market":
            return True
        if self.side == "buy":
            return resting.price <= self.price
        return resting.price >= self.price

    def state(self) -> OrderState:
        return OrderState(
            order_id=self.order_id,
            client_id=self.client_id,
            instrument=self.instrument,
            side=self.side,
            type=self.type,
            price=self.price,
            quantity=self.quantity,
            remaining_quantity=self.remaining,
            notional=self.notional,
            time_in_force=self.time_in_force,
            post_only=self.post_only,
            self_trade_prevention=self.self_trade_prevention,
            status=self.status,
            reason=self.reason,
            created_at=self.created_at,
            updated_at=self.updated_at,
            sequence=self.sequence,
            updated_sequence=self.updated_sequence,
        )


class ReferenceExchange:
    """Answers every command by the rules; slow, small and obvious.

    `fills_max` and `cancels_max` are the caps of one command, `quoted_orders_max` that of quotes'
    orders at one price, so that tests can reach them.
    """

    def __init__(
        self,
        fills_max: int = FILLS_MAX,
        cancels_max: int = CANCELS_MAX,
        quoted_orders_max: int = QUOTED_ORDERS_MAX,
    ) -> None:
        self.fills_max = fills_max
        self.cancels_max = cancels_max
        self.quoted_orders_max = quoted_orders_max
        self.instruments: list[Instrument] = []
        self.limits = Limits()
        self.open: list[ReferenceOrder] = []
        self.closed: list[ReferenceOrder] = []  # the one that closed first stands first
        self.trades: list[tuple[int, ReferenceTrade]] = []  # numbered from 1, oldest first
        self.keys: list[tuple[Idempotency, Seq, Micros]] = []  # oldest first
        self._trades_ever = 0
        self._arrivals = 0
        self._seq: Seq = 0
        self._now: Micros = 0
        self._happened: list[ReferenceTrade | OrderState] = []  # by the present command

    def apply(self, seq: Seq, now: Micros, command: Command) -> Outcome:
        """Do what the command asks, or refuse it, and tell what happened."""
        self._seq, self._now = seq, now
        self._happened = []
        self._remember(command.idempotency)
        match command:
            case PlaceOrder():
                return self._place(command)
            case CancelOrder():
                return self._cancel(command)
            case AmendOrder():
                return self._amend(command)
            case CancelAll():
                return self._cancel_all(command)
            case Configure():
                return self._configure(command)
            case Quote():
                return self._quote(command)

    # What can be asked.

    def find(self, order_id: str) -> ReferenceOrder | None:
        for order in self.open + self.closed:
            if order.order_id == order_id:
                return order
        return None

    def find_duplicate(self, used: Idempotency) -> tuple[Seq, bool] | None:
        """Where a remembered key was used, and if for this very request."""
        for known, seq, _time in self.keys:
            if known.key == used.key:
                return seq, known.request == used.request
        return None

    def queue(self, instrument: str, side: Side) -> list[ReferenceOrder]:
        """One side's orders in the order in which they will trade."""
        orders = [o for o in self.open if o.instrument == instrument and o.side == side]
        sign = -1 if side == "buy" else 1
        return sorted(orders, key=lambda order: (sign * order.price, order.arrival))

    def levels(self, instrument: str, side: Side) -> list[tuple[Ticks, Lots, int]]:
        """One side of the L2 book, best first: (price, quantity, orders)."""
        quantities: Counter[Ticks] = Counter()
        orders: Counter[Ticks] = Counter()
        for order in self.queue(instrument, side):
            quantities[order.price] += order.remaining
            orders[order.price] += 1
        return [(price, quantities[price], orders[price]) for price in quantities]

    # The six commands.

    def _place(self, command: PlaceOrder) -> Outcome:
        instrument = self._instrument(command.instrument)
        if instrument is None or not instrument.trading:
            return Outcome(refused=reasons.UNKNOWN_INSTRUMENT)
        known = self.find(command.order_id)
        if known is not None:
            return Outcome(refused=reasons.DUPLICATE_ORDER_ID, order=known.state())
        if not within_limits(instrument, command.type, command.price, command.quantity):
            return Outcome(refused=reasons.OUTSIDE_LIMITS)
        order = ReferenceOrder(
            order_id=command.order_id,
            client_id=command.client_id,
            instrument=command.instrument,
            side=command.side,
            type=command.type,
            price=command.price,
            quantity=command.quantity,
            time_in_force=command.time_in_force,
            post_only=command.post_only,
            self_trade_prevention=command.self_trade_prevention,
            created_at=self._now,
            updated_at=self._now,
            sequence=self._seq,
            updated_sequence=self._seq,
        )
        reason = self._why_rejected(order)
        if reason:
            self._close(order, "rejected", reason)
        else:
            self._match(order)
        return self._outcome(order)

    def _cancel(self, command: CancelOrder) -> Outcome:
        order = self.find(command.order_id)
        if order is None or command.client_id not in (None, order.client_id):
            return Outcome(refused=reasons.UNKNOWN_ORDER)
        if order in self.closed:
            return Outcome(refused=reasons.ORDER_CLOSED, order=order.state())
        self._close(order, "cancelled", reasons.NONE)
        return self._outcome(order)

    def _amend(self, command: AmendOrder) -> Outcome:
        order = self.find(command.order_id)
        if order is None or command.client_id not in (None, order.client_id):
            return Outcome(refused=reasons.UNKNOWN_ORDER)
        if order in self.closed:
            return Outcome(refused=reasons.ORDER_CLOSED, order=order.state())
        price = command.price if command.price != 0 else order.price
        quantity = command.quantity if command.quantity != 0 else order.quantity
        if (price, quantity) == (order.price, order.quantity):
            return self._outcome(order)
        reason = self._why_not_amended(order, price, quantity)
        if reason:
            return Outcome(refused=reason, order=order.state())
        keeps_priority = price == order.price and quantity < order.quantity
        order.price, order.quantity = price, quantity
        self._stamp(order)
        if not keeps_priority:
            self.open.remove(order)
            self._match(order)
        return self._outcome(order)

    def _cancel_all(self, command: CancelAll) -> Outcome:
        if command.instrument is not None and self._instrument(command.instrument) is None:
            return Outcome(refused=reasons.UNKNOWN_INSTRUMENT)
        theirs = [
            order
            for order in sorted(self.open, key=lambda order: order.sequence)
            if order.client_id == command.client_id
            and command.instrument in (None, order.instrument)
        ]
        for order in theirs[: self.cancels_max]:
            self._close(order, "cancelled", reasons.NONE)
            self._happened.append(order.state())
        return Outcome(happened=tuple(self._happened), remaining=len(theirs) - len(self._happened))

    def _configure(self, command: Configure) -> Outcome:
        changed = []
        for known in self.instruments:
            new = [i for i in command.instruments if i.name == known.name]
            if not new:
                return Outcome(refused=reasons.CONFIGURATION_REFUSED)
            if grid(new[0]) != grid(known):
                changed.append(known.name)
        if any(order.instrument in changed for order in self.open):
            return Outcome(refused=reasons.CONFIGURATION_REFUSED)
        before = len(self.closed)
        self.closed = [order for order in self.closed if order.instrument not in changed]
        self.trades = [(n, trade) for n, trade in self.trades if trade.instrument not in changed]
        forgotten = before - len(self.closed)
        self.instruments, self.limits = list(command.instruments), command.limits
        self._forget_oldest()
        self._forget_keys()
        return Outcome(forgotten=forgotten)

    def _quote(self, command: Quote) -> Outcome:
        instrument = self._instrument(command.instrument)
        if instrument is None or not instrument.trading:
            return Outcome(refused=reasons.UNKNOWN_INSTRUMENT)
        wanted: list[tuple[Side, Ticks, Lots]] = [("buy", *level) for level in command.bids]
        wanted += [("sell", *level) for level in command.asks]
        if not quotable(instrument, command, wanted):
            return Outcome(refused=reasons.OUTSIDE_LIMITS)
        for side, price, quantity in wanted:
            surplus = sum(order.remaining for order in self._own(command, side, price)) - quantity
            for order in reversed(self._own(command, side, price)):
                if surplus > 0:
                    less = min(surplus, order.remaining)
                    surplus -= less
                    if less == order.remaining:
                        self._close(order, "cancelled", reasons.NONE)
                    else:
                        order.quantity -= less
                        self._stamp(order)
                    self._happened.append(order.state())
        entered = left = met = 0
        for side, price, quantity in wanted:
            own = self._own(command, side, price)
            missing = quantity - sum(order.remaining for order in own)
            if missing <= 0:
                continue
            order_id = f"{command.client_id}:{self._seq}:{entered:03}"
            grows = len(own) >= self.quoted_orders_max
            room = self.limits.open_orders_max - len(self.open) + (1 if grows else 0)
            if room <= 0 or met >= self.fills_max or self.find(order_id) is not None:
                left += 1
                continue
            if grows:
                missing += own[-1].remaining
                self._close(own[-1], "cancelled", reasons.NONE)
                self._happened.append(own[-1].state())
            order = self._quoted(command, order_id, side, price, missing)
            before = len(self._happened)
            self._match(order, self.fills_max - met)
            met += len(self._happened) - before
            entered += 1
            self._happened.append(order.state())
        return Outcome(happened=tuple(self._happened), remaining=left)

    def _own(self, command: Quote, side: Side, price: Ticks) -> list[ReferenceOrder]:
        """What the client of a quote has resting at a price, in the order of the queue."""
        queue = self.queue(command.instrument, side)
        return [o for o in queue if o.price == price and o.client_id == command.client_id]

    def _quoted(
        self, command: Quote, order_id: str, side: Side, price: Ticks, quantity: Lots
    ) -> ReferenceOrder:
        return ReferenceOrder(
            order_id=order_id,
            client_id=command.client_id,
            instrument=command.instrument,
            side=side,
            type="limit",
            price=price,
            quantity=quantity,
            time_in_force="gtc",
            post_only=False,
            self_trade_prevention="cancel_resting",
            created_at=self._now,
            updated_at=self._now,
            sequence=self._seq,
            updated_sequence=self._seq,
        )

    # Rules.

    def _why_rejected(self, order: ReferenceOrder) -> int:
        if order.post_only and self._next_against(order) is not None:
            return reasons.POST_ONLY_WOULD_CROSS
        may_rest = order.type == "limit" and order.time_in_force == "gtc"
        if may_rest and len(self.open) >= self.limits.open_orders_max:
            return reasons.OPEN_ORDERS_MAX_REACHED
        if order.time_in_force == "fok" and not self._fills_whole(order):
            return reasons.FILL_OR_KILL_UNFILLED
        return reasons.NONE

    def _fills_whole(self, order: ReferenceOrder) -> bool:
        wanted = order.quantity
        against = self.queue(order.instrument, "sell" if order.side == "buy" else "buy")
        for resting in against[: self.fills_max]:
            if not order.crosses(resting):
                return False
            if resting.client_id != order.client_id or order.self_trade_prevention == "none":
                wanted -= resting.remaining
            elif order.self_trade_prevention != "cancel_resting":
                return False
            if wanted <= 0:
                return True
        return False

    def _why_not_amended(self, order: ReferenceOrder, price: Ticks, quantity: Lots) -> int:
        if quantity <= order.filled:
            return reasons.QUANTITY_NOT_ABOVE_FILLED
        instrument = self._instrument(order.instrument)
        assert instrument is not None
        if not within_limits(instrument, "limit", price, quantity):
            return reasons.OUTSIDE_LIMITS
        if order.post_only:
            before, order.price = order.price, price
            crosses = self._next_against(order) is not None
            order.price = before
            if crosses:
                return reasons.AMEND_WOULD_CROSS
        return reasons.NONE

    def _match(self, order: ReferenceOrder, meetings_max: int | None = None) -> None:
        """Let an order that is in no queue meet what it crosses, then close it or let it rest."""
        meetings_max = self.fills_max if meetings_max is None else meetings_max
        met = 0
        while order.remaining > 0:
            resting = self._next_against(order)
            if resting is None:
                break
            if met == meetings_max:
                return self._close(order, "cancelled", reasons.TOO_MANY_FILLS)
            met += 1
            if resting.client_id != order.client_id or order.self_trade_prevention == "none":
                self._trade(order, resting)
                continue
            self._prevent(order, resting)
            if order.status == "cancelled":
                return None
        return self._conclude(order)

    def _conclude(self, order: ReferenceOrder) -> None:
        if order.remaining == 0:
            return self._close(order, "filled", reasons.NONE)
        if order.type == "market":
            if order.filled:
                return self._close(order, "partially_filled", reasons.NONE)
            return self._close(order, "rejected", reasons.NO_LIQUIDITY)
        if order.time_in_force == "ioc":
            return self._close(order, "cancelled", reasons.NONE)
        assert order.time_in_force == "gtc", "a FOK order fills whole or never gets here"
        order.status = "partially_filled" if order.filled else "open"
        self._arrivals += 1
        order.arrival = self._arrivals
        return self.open.append(order)

    def _trade(self, taker: ReferenceOrder, maker: ReferenceOrder) -> None:
        quantity = min(taker.remaining, maker.remaining)
        for order in (taker, maker):
            order.filled += quantity
            order.notional += quantity * maker.price
            order.status = "partially_filled"
            self._stamp(order)
        buyer, seller = (taker, maker) if taker.side == "buy" else (maker, taker)
        trade = ReferenceTrade(
            instrument=maker.instrument,
            buy_order_id=buyer.order_id,
            sell_order_id=seller.order_id,
            maker_order_id=maker.order_id,
            buy_client_id=buyer.client_id,
            sell_client_id=seller.client_id,
            price=maker.price,
            quantity=quantity,
            maker_quantity=maker.quantity,
            maker_remaining=maker.remaining,
            sequence=self._seq,
            timestamp=self._now,
        )
        self._happened.append(trade)
        self._trades_ever += 1
        self.trades.append((self._trades_ever, trade))
        self._forget_oldest()
        if maker.remaining == 0:
            self._close(maker, "filled", reasons.NONE)

    def _prevent(self, order: ReferenceOrder, own: ReferenceOrder) -> None:
        """An order meets a resting one of its own client: its mode says which of them gives way."""
        mode = order.self_trade_prevention
        if mode == "decrement":
            overlap = min(order.remaining, own.remaining)
            order.quantity -= overlap
            own.quantity -= overlap
            self._stamp(own)
            if own.remaining > 0:
                self._happened.append(own.state())
        if mode in ("cancel_resting", "cancel_both") or own.remaining == 0:
            self._close(own, "cancelled", reasons.SELF_TRADE_PREVENTED)
            self._happened.append(own.state())
        if mode in ("cancel_incoming", "cancel_both") or order.remaining == 0:
            self._close(order, "cancelled", reasons.SELF_TRADE_PREVENTED)

    # Bookkeeping.

    def _next_against(self, order: ReferenceOrder) -> ReferenceOrder | None:
        """The resting order that this one would meet next."""
        against = self.queue(order.instrument, "sell" if order.side == "buy" else "buy")
        return against[0] if against and order.crosses(against[0]) else None

    def _close(self, order: ReferenceOrder, status: Status, reason: int) -> None:
        order.status, order.reason = status, reason
        self._stamp(order)
        self.open = [other for other in self.open if other is not order]
        self.closed.append(order)
        self._forget_oldest()

    def _stamp(self, order: ReferenceOrder) -> None:
        order.updated_at, order.updated_sequence = self._now, self._seq

    def _forget_oldest(self) -> None:
        del self.closed[: max(0, len(self.closed) - self.limits.closed_orders_max)]
        newest = self._trades_ever - self.limits.trades_max
        self.trades = [(number, trade) for number, trade in self.trades if number > newest]

    def _remember(self, used: Idempotency | None) -> None:
        if used is not None and self.find_duplicate(used) is None:
            self.keys.append((used, self._seq, self._now))
            self._forget_keys()

    def _forget_keys(self) -> None:
        """Also by age; it is looked at when a key comes in or the bounds are set."""
        oldest = self._now - self.limits.idempotency_age_us
        del self.keys[: max(0, len(self.keys) - self.limits.idempotency_keys_max)]
        self.keys = [entry for entry in self.keys if entry[2] >= oldest]

    def _instrument(self, name: str) -> Instrument | None:
        for instrument in self.instruments:
            if instrument.name == name:
                return instrument
        return None

    def _outcome(self, order: ReferenceOrder) -> Outcome:
        return Outcome(order=order.state(), happened=tuple(self._happened))


def within_limits(instrument: Instrument, kind: OrderType, price: Ticks, quantity: Lots) -> bool:
    """Whether the instrument admits such an order."""
    if not instrument.quantity_lots_min <= quantity <= instrument.quantity_lots_max:
        return False
    if kind == "market":
        return price == 0
    if not 1 <= price <= instrument.price_ticks_max:
        return False
    return instrument.notional_min <= price * quantity <= instrument.notional_max


def quotable(
    instrument: Instrument, command: Quote, wanted: list[tuple[Side, Ticks, Lots]]
) -> bool:
    """Whether a quote's levels can all be brought about."""
    if len(command.bids) > QUOTED_LEVELS_MAX or len(command.asks) > QUOTED_LEVELS_MAX:
        return False
    if len({(side, price) for side, price, _ in wanted}) != len(wanted):
        return False
    for _side, price, quantity in wanted:
        if not 1 <= price <= instrument.price_ticks_max or quantity < 0:
            return False
        if quantity > instrument.quantity_lots_max or price * quantity > instrument.notional_max:
            return False
    bids = [price for price, quantity in command.bids if quantity > 0]
    asks = [price for price, quantity in command.asks if quantity > 0]
    return all(bid < ask for bid in bids for ask in asks)


def grid(instrument: Instrument) -> tuple[Fraction, Fraction]:
    """What a tick and a lot are worth."""
    return (
        Fraction(instrument.price_step, 10**instrument.price_scale),
        Fraction(instrument.quantity_step, 10**instrument.quantity_scale),
    )
