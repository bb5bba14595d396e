"""The engine: `apply(seq, now, command)` returns the events, and the state has moved on.

Everything that the exchange knows lives here and changes only here: instruments, books, orders,
trades, idempotency keys. Replaying the same records gives the same state, bit for bit.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from tradeclear.core.book import OrderBook
from tradeclear.core.configuring import configure
from tradeclear.core.idempotency import IdempotencyWindow
from tradeclear.core.ladder import Level
from tradeclear.core.level_changes import level_changes, newest_of_each_level
from tradeclear.core.lifecycle import Order, move
from tradeclear.core.orders import OrderTable
from tradeclear.core.quoting import quote
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
from tradeclear.model.events import (
    CommandRefused,
    Event,
    LevelChanged,
    OrderAmended,
    OrderCancelled,
    OrderPlaced,
    OrdersCancelled,
    TradeExecuted,
)
from tradeclear.model.instrument import Instrument
from tradeclear.model.order import Side, is_closed
from tradeclear.model.trade import Trade
from tradeclear.model.units import Lots, Micros, Seq

ENGINE_VERSION: Final = 1
"""Raised when the same commands would give other events or another state."""

FILLS_MAX: Final = 10_000
"""So many orders may one command meet; what is left of it then is cancelled."""

CANCELS_MAX: Final = 10_000
"""So many orders may one cancel-all close; the client asks again for the rest."""

Events = tuple[Event, ...]


class Engine:
    """The state of one partition."""

    def __init__(self) -> None:
        self.seq: Seq = 0
        self.time: Micros = 0
        self.partition = 0
        self.versions = (ENGINE_VERSION, 0)
        """Of the engine and the codec that wrote the records since the last `Configure`."""
        self.limits = Limits()
        self.instruments: dict[str, Instrument] = {}
        self.grid_since: dict[str, Seq] = {}
        self.books: dict[str, OrderBook] = {}
        self.orders = OrderTable(self.limits.closed_orders_max)
        self.trades: dict[int, Trade] = {}
        self.next_trade_id = 1
        self.keys = IdempotencyWindow(
            self.limits.idempotency_keys_max, self.limits.idempotency_age_us
        )
        self._handlers: Final[dict[type[Any], Callable[..., Events]]] = {
            PlaceOrder: self._place,
            CancelOrder: self._cancel,
            AmendOrder: self._amend,
            CancelAll: self._cancel_all,
            Configure: partial(configure, self),
            Quote: self._quote,
        }

    def apply(self, seq: Seq, now: Micros, command: Command) -> Events:
        """Carry out `command` as record `seq` at time `now`; returns what came of it.

        `seq` follows the last one without a gap and `now` never decreases. A command that can't be
        carried out gives an event that says so. An exception is a bug of ours and leaves the state
        unusable. Repeated idempotency keys are found beforehand, by `find_duplicate`.
        """
        assert seq == self.seq + 1, f"record {seq} does not follow {self.seq}"
        assert now >= self.time, f"record {seq}: time {now} is before {self.time}"
        events = self._handlers[type(command)](seq, now, command)
        used = command.idempotency
        if used is not None:
            self.keys.remember(used, seq, now)
        self.seq = seq
        self.time = now
        return events

    def find_duplicate(self, used: Idempotency) -> Seq | None:
        """Seq of the record that holds the answer to a repeated request. Raises `KeyReused`."""
        return self.keys.find(used)

    # Placing

    def _place(self, seq: Seq, now: Micros, command: PlaceOrder) -> Events:
        name = command.instrument
        instrument = self.instruments.get(name)
        if instrument is None or not instrument.trading:
            return (CommandRefused(reasons.UNKNOWN_INSTRUMENT),)
        known = self.orders.by_id.get(command.order_id)
        if known is not None:
            return (CommandRefused(reasons.DUPLICATE_ORDER_ID, known.state()),)
        side, price, quantity = command.side, command.price, command.quantity
        priced = command.type == "limit"
        if priced != bool(price) or not _within_limits(instrument, price, quantity):
            return (CommandRefused(reasons.OUTSIDE_LIMITS),)
        order = Order(
            command.order_id,
            command.client_id,
            side,
            price,
            quantity,
            quantity,
            0,
            0,
            name,
            command.type,
            command.time_in_force,
            command.post_only,
            command.self_trade_prevention,
            "open",
            reasons.NONE,
            now,
            now,
            seq,
            seq,
        )
        book, orders = self.books[name], self.orders
        if (
            price
            and command.time_in_force == "gtc"
            and orders.open_count < self.limits.open_orders_max
        ):
            level = book.rest_unless_crossing(order)
            if level is not None:
                orders.add(order)
                return (
                    OrderPlaced(command.order_id, "open", quantity, quantity, 0, reasons.NONE),
                    LevelChanged(name, side, price, level.quantity, len(level.queue)),
                )
        happened: list[Event] = []
        changes: list[Event] = []
        reason = self._refusal(order, book)
        if reason:
            move(order, "rejected", reason, seq, now)
        else:
            changes = self.enter(seq, now, order, book, happened, FILLS_MAX)
        orders.add(order)
        return (
            OrderPlaced(
                order.order_id,
                order.status,
                order.quantity,
                order.remaining,
                order.notional,
                order.reason,
            ),
            *happened,
            *changes,
        )

    def enter(
        self,
        seq: Seq,
        now: Micros,
        order: Order,
        book: OrderBook,
        happened: list[Event],
        meetings_max: int,
    ) -> list[Event]:
        """Match an order that is not in the book, then rest it or find that it has closed.

        Returns level changes. The table of orders is left to the caller.
        """
        if order.self_trade_prevention == "none":
            met = book.match(order.side, order.price, order.remaining, meetings_max)
            order.remaining = met.remaining
            self._trade(seq, now, order, met.fills, happened)
            levels: Iterable[Level] = met.levels
            stopped = 0
            if met.remaining:
                stopped = _stopped(order, book, meetings_max - len(met.fills))
        else:
            touched: dict[int, Level] = {}
            stopped = self._match(seq, now, order, book, happened, touched, meetings_max)
            levels = touched.values()
        opposite: Side = "sell" if order.side == "buy" else "buy"
        changes = level_changes(order.instrument, opposite, levels)
        filled = order.quantity - order.remaining
        if stopped:
            move(order, "cancelled", stopped, seq, now)
        elif not order.remaining:
            move(order, "filled", reasons.NONE, seq, now)
        elif order.type == "market":
            if filled:
                move(order, "partially_filled", reasons.NONE, seq, now)
            else:
                move(order, "rejected", reasons.NO_LIQUIDITY, seq, now)
        elif order.time_in_force == "ioc":
            move(order, "cancelled", reasons.NONE, seq, now)
        else:
            move(order, "partially_filled" if filled else "open", reasons.NONE, seq, now)
            level = book.rest(order)
            changes += level_changes(order.instrument, order.side, (level,))
        return changes

    def _refusal(self, order: Order, book: OrderBook) -> int:
        """Why the order may not even begin to match, or `NONE`."""
        if order.post_only and book.crosses(order.side, order.price):
            return reasons.POST_ONLY_WOULD_CROSS
        if order.time_in_force == "fok":
            mode = order.self_trade_prevention
            avoid = None if mode == "none" else order.client_id
            if not book.fillable(
                order.side,
                order.price,
                order.remaining,
                FILLS_MAX,
                avoid,
                skip=mode == "cancel_resting",
            ):
                return reasons.FILL_OR_KILL_UNFILLED
        if (
            self.orders.open_count >= self.limits.open_orders_max
            and order.type == "limit"
            and order.time_in_force == "gtc"
        ):
            return reasons.OPEN_ORDERS_MAX_REACHED
        return reasons.NONE

    def _match(
        self,
        seq: Seq,
        now: Micros,
        order: Order,
        book: OrderBook,
        happened: list[Event],
        levels: dict[int, Level],
        meetings: int,
    ) -> int:
        """Trade for as long as the client does not meet itself in a way that ends it.

        Returns why what is left must be cancelled, or `NONE`.
        """
        mode, avoid = order.self_trade_prevention, order.client_id
        while True:
            met = book.match(order.side, order.price, order.remaining, meetings, avoid)
            order.remaining = met.remaining
            for level in met.levels:
                levels[level.price] = level
            self._trade(seq, now, order, met.fills, happened)
            meetings -= len(met.fills)
            own = met.own
            if own is None:
                break
            if mode == "cancel_incoming":
                return reasons.SELF_TRADE_PREVENTED
            meetings -= 1
            levels[own.price] = self._prevent_self_trade(seq, now, order, own, book, happened)
            if mode == "cancel_both" or not order.remaining:
                return reasons.SELF_TRADE_PREVENTED
        return _stopped(order, book, meetings)

    def _trade(
        self,
        seq: Seq,
        now: Micros,
        taker: Order,
        fills: list[tuple[Order, Lots]],
        happened: list[Event],
    ) -> None:
        """Book the fills on both sides' orders, oldest first, and make their events."""
        trades, trades_max, close = self.trades, self.limits.trades_max, self.orders.close
        instrument, side = taker.instrument, taker.side
        buying = side == "buy"
        trade_id = self.next_trade_id
        for maker, lots in fills:
            price, left = maker.price, maker.remaining
            value = price * lots
            taker.notional += value
            maker.notional += value
            if left:
                move(maker, "partially_filled", reasons.NONE, seq, now)
            else:
                move(maker, "filled", reasons.NONE, seq, now)
                close(maker)
            buyer, seller = (taker, maker) if buying else (maker, taker)
            executed = TradeExecuted(
                trade_id,
                instrument,
                price,
                lots,
                side,
                buyer.order_id,
                seller.order_id,
                buyer.client_id,
                seller.client_id,
                maker.quantity,
                left,
            )
            happened.append(executed)
            trades[trade_id] = Trade(executed, seq, now)
            trades.pop(trade_id - trades_max, None)
            trade_id += 1
        self.next_trade_id = trade_id

    def _prevent_self_trade(
        self,
        seq: Seq,
        now: Micros,
        order: Order,
        own: Order,
        book: OrderBook,
        happened: list[Event],
    ) -> Level:
        """Do to the resting order `own`, and to both quantities, what `order`'s mode says."""
        ladder = book.side(own.side)
        level = ladder.levels[own.price * ladder.sign]
        mode = order.self_trade_prevention
        if mode == "decrement":
            overlap = min(order.remaining, own.remaining)
            for either in (order, own):
                either.quantity -= overlap
                either.remaining -= overlap
            level.quantity -= overlap
            if own.remaining:
                move(own, own.status, reasons.NONE, seq, now)
                happened.append(OrderAmended(own.state()))
                return level
        book.remove(own)
        move(own, "cancelled", reasons.SELF_TRADE_PREVENTED, seq, now)
        self.orders.close(own)
        happened.append(OrderCancelled(own.state()))
        return level

    # Cancelling

    def _cancel(self, seq: Seq, now: Micros, command: CancelOrder) -> Events:
        order = self.orders.by_id.get(command.order_id)
        if order is None or command.client_id not in (None, order.client_id):
            return (CommandRefused(reasons.UNKNOWN_ORDER),)
        if order.closed:
            return (CommandRefused(reasons.ORDER_CLOSED, order.state()),)
        level = self._cancel_resting(seq, now, order)
        return (
            OrderCancelled(order.state()),
            *level_changes(order.instrument, order.side, (level,)),
        )

    def _cancel_resting(self, seq: Seq, now: Micros, order: Order) -> Level:
        level = self.books[order.instrument].remove(order)
        move(order, "cancelled", reasons.NONE, seq, now)
        self.orders.close(order)
        return level

    def _cancel_all(self, seq: Seq, now: Micros, command: CancelAll) -> Events:
        if command.instrument is not None and command.instrument not in self.instruments:
            return (CommandRefused(reasons.UNKNOWN_INSTRUMENT),)
        chosen = [
            order
            for order in self.orders.open_of(command.client_id)
            if command.instrument in (None, order.instrument)
        ]
        happened: list[Event] = []
        levels: dict[tuple[str, Side, int], Level] = {}
        for order in chosen[:CANCELS_MAX]:
            level = self._cancel_resting(seq, now, order)
            levels[order.instrument, order.side, order.price] = level
            happened.append(OrderCancelled(order.state()))
        closed = len(happened)
        for (instrument, side, _price), level in levels.items():
            happened += level_changes(instrument, side, (level,))
        return (OrdersCancelled(command.client_id, closed, len(chosen) - closed), *happened)

    # Amending

    def _amend(self, seq: Seq, now: Micros, command: AmendOrder) -> Events:
        order = self.orders.by_id.get(command.order_id)
        if order is None or command.client_id not in (None, order.client_id):
            return (CommandRefused(reasons.UNKNOWN_ORDER),)
        if order.closed:
            return (CommandRefused(reasons.ORDER_CLOSED, order.state()),)
        price = command.price or order.price
        quantity = command.quantity or order.quantity
        if price == order.price and quantity == order.quantity:
            return (OrderAmended(order.state()),)
        reason = self._amend_refusal(order, price, quantity)
        if reason:
            return (CommandRefused(reason, order.state()),)
        if price == order.price and quantity < order.quantity:
            return self._reduce(seq, now, order, quantity)
        book = self.books[order.instrument]
        left = book.remove(order)
        before = level_changes(order.instrument, order.side, (left,))
        order.remaining += quantity - order.quantity
        order.quantity, order.price = quantity, price
        happened: list[Event] = []
        changes = self.enter(seq, now, order, book, happened, FILLS_MAX)
        if is_closed(order.status, order.type):  # mypy believes `order.closed` as it was above
            self.orders.close(order)
        changes = newest_of_each_level(before + changes)
        return (OrderAmended(order.state()), *happened, *changes)

    def _amend_refusal(self, order: Order, price: int, quantity: Lots) -> int:
        if quantity <= order.quantity - order.remaining:
            return reasons.QUANTITY_NOT_ABOVE_FILLED
        if not _within_limits(self.instruments[order.instrument], price, quantity):
            return reasons.OUTSIDE_LIMITS
        if (
            order.post_only
            and price != order.price
            and self.books[order.instrument].crosses(order.side, price)
        ):
            return reasons.AMEND_WOULD_CROSS
        return reasons.NONE

    def _reduce(self, seq: Seq, now: Micros, order: Order, quantity: Lots) -> Events:
        """Lower the quantity without losing priority."""
        level = self.books[order.instrument].reduce(order, order.quantity - quantity)
        move(order, order.status, order.reason, seq, now)
        return (
            OrderAmended(order.state()),
            *level_changes(order.instrument, order.side, (level,)),
        )

    # Quoting

    def _quote(self, seq: Seq, now: Micros, command: Quote) -> Events:
        return quote(self, seq, now, command, meetings_max=FILLS_MAX)


def _stopped(order: Order, book: OrderBook, meetings: int) -> int:
    """Whether what is left would trade on, had it not met too many: the reason, or `NONE`."""
    if order.remaining and not meetings and book.crosses(order.side, order.price):
        return reasons.TOO_MANY_FILLS
    return reasons.NONE


def _within_limits(instrument: Instrument, price: int, quantity: Lots) -> bool:
    """The same limits that the gateway explains, held here too. A market order has no price."""
    if not instrument.quantity_lots_min <= quantity <= instrument.quantity_lots_max:
        return False
    if not price:
        return True
    return (
        0 < price <= instrument.price_ticks_max
        and instrument.notional_min <= price * quantity <= instrument.notional_max
    )
