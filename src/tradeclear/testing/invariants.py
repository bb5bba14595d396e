"""What must always hold of the core, checked on what the engine says against what it holds.

From the events alone it is added up who bought and sold how much, and the L2 book is folded; the
orders' own states, the engine's tables and its books must agree. Where one does not, an
`AssertionError` says which.
"""

from collections import Counter

from tradeclear.core.depth import LevelBook
from tradeclear.core.engine import Engine, Events
from tradeclear.model.commands import Command, Configure, PlaceOrder
from tradeclear.model.events import (
    CommandRefused,
    Event,
    LevelChanged,
    OrderAmended,
    OrderCancelled,
    OrderEntered,
    OrderPlaced,
    TradeExecuted,
)
from tradeclear.model.order import OrderState, Side, is_closed
from tradeclear.model.units import Lots, Micros, Seq


class Watch:
    """An engine under watch: `apply` is the engine's own, followed by the cheap checks.

    `check_everything` walks all of the engine: call it now and then. Watching may begin with an
    engine that already holds orders.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._filled: dict[str, Lots] = {}  # of open orders, as their events told
        self._sums: Counter[tuple[str, str]] = Counter()  # by instrument; "buy", "sell", "traded"
        self._touched: set[str] = set()  # instruments whose sums the present command moved
        self._folded = LevelBook()
        self._folded.levels = levels_held(engine)
        for book in engine.books.values():
            for ladder in (book.bids, book.asks):
                for level in ladder.best_first():
                    for order in level.queue.values():
                        self._filled[order.order_id] = order.quantity - order.remaining

    def apply(self, seq: Seq, now: Micros, command: Command) -> Events:
        """Apply `command` to the engine. Raises `AssertionError` where a rule is broken."""
        engine = self.engine
        known = isinstance(command, PlaceOrder) and command.order_id in engine.orders.by_id
        trade_id = engine.next_trade_id
        events = engine.apply(seq, now, command)
        assert events, "a command has no outcome"
        assert not (known and isinstance(events[0], OrderPlaced)), "an id was accepted twice"
        assert len(events) == 1 or not isinstance(events[0], CommandRefused), "refused, yet done"
        if not isinstance(command, Configure):
            trade_ids = [event.trade_id for event in events if isinstance(event, TradeExecuted)]
            assert trade_ids == list(range(trade_id, engine.next_trade_id)), "trade ids have a gap"
        self._touched.clear()
        for event in events:
            self._hear(command, event)
        self._check_sums()
        self._check_levels([event for event in events if isinstance(event, LevelChanged)])
        self._check_bounds(events[0])
        return events

    def check_everything(self) -> None:
        """Compare all that was heard with all that the engine holds, and each book with itself."""
        engine = self.engine
        assert self._folded.levels == levels_held(engine), "level changes don't add up to the book"
        held = {}
        for name, book in engine.books.items():
            book.assert_consistent()
            for ladder in (book.bids, book.asks):
                for level in ladder.best_first():
                    for order in level.queue.values():
                        held[order.order_id] = order.quantity - order.remaining
                        assert engine.orders.by_id[order.order_id] is order, "a stranger rests"
                        assert not order.closed, f"{order.order_id} rests, but is closed"
                        assert (order.instrument, order.side) == (name, ladder.side)
        assert held == self._filled, "orders in the books are not as their events told"
        put_away = list(engine.orders.closed())
        assert all(order.closed for order in put_away), "an open order is put away"
        still_open = engine.orders.by_id.keys() - {order.order_id for order in put_away}
        assert still_open == held.keys(), "an open order is in no book"
        assert engine.orders.open_count == len(held), "open orders are counted wrong"

    def _hear(self, command: Command, event: Event) -> None:
        match event:
            case OrderPlaced():
                assert isinstance(command, PlaceOrder), "an order came out of nothing"
                assert event.quantity <= command.quantity, f"{event.order_id} has grown"
                self._tell(
                    command.instrument,
                    command.side,
                    event.order_id,
                    event.quantity,
                    event.remaining_quantity,
                    closed=is_closed(event.status, command.type),
                )
            case TradeExecuted():
                assert event.quantity > 0, f"trade {event.trade_id} moves nothing"
                self._sums[event.instrument, "traded"] += event.quantity
                self._tell(
                    event.instrument,
                    "sell" if event.taker_side == "buy" else "buy",
                    event.maker_order_id,
                    event.maker_quantity,
                    event.maker_remaining_quantity,
                    closed=not event.maker_remaining_quantity,
                )
            case (
                OrderCancelled(order=order) | OrderAmended(order=order) | OrderEntered(order=order)
            ):
                self._tell_state(order)
            case CommandRefused(order=OrderState() as order) if not order.closed:
                assert self._filled[order.order_id] == order.filled_quantity, "refused, yet changed"
            case _:
                pass

    def _tell_state(self, order: OrderState) -> None:
        self._tell(
            order.instrument,
            order.side,
            order.order_id,
            order.quantity,
            order.remaining_quantity,
            closed=order.closed,
        )

    def _tell(
        self,
        instrument: str,
        side: Side,
        order_id: str,
        quantity: Lots,
        remaining: Lots,
        *,
        closed: bool,
    ) -> None:
        """Take what an event says of an order's quantities."""
        before = self._filled.pop(order_id, 0)
        filled = quantity - remaining
        assert before <= filled <= quantity, f"{order_id}: {before} to {filled} of {quantity}"
        assert closed or remaining > 0, f"{order_id} is open for nothing"
        self._sums[instrument, side] += filled - before
        self._touched.add(instrument)
        if not closed:
            self._filled[order_id] = filled

    def _check_sums(self) -> None:
        for name in sorted(self._touched):
            bought, sold, traded = (self._sums[name, what] for what in ("buy", "sell", "traded"))
            assert bought == sold == traded, f"{name}: {bought=} {sold=} {traded=}"

    def _check_levels(self, changes: list[LevelChanged]) -> None:
        places = {(change.instrument, change.side, change.price) for change in changes}
        assert len(places) == len(changes), "a level is told twice by one command"
        for change in changes:
            before = self._folded.levels.get((change.instrument, change.side, change.price), (0, 0))
            assert before != (change.quantity, change.orders), f"{change} tells no change"
            self._folded.apply(change)
            book = self.engine.books[change.instrument]
            level = book.side(change.side).level(change.price)
            held = (level.quantity, len(level.queue)) if level is not None else (0, 0)
            assert (change.quantity, change.orders) == held, f"{change} but the book has {held}"
            if book.bids.keys and book.asks.keys:
                assert book.bids.keys[-1] < -book.asks.keys[-1], "the book is crossed or locked"

    def _check_bounds(self, first: Event) -> None:
        engine, limits = self.engine, self.engine.limits
        closed = len(engine.orders.by_id) - engine.orders.open_count
        assert closed <= limits.closed_orders_max, "too many closed orders"
        assert len(engine.trades) <= limits.trades_max, "too many trades"
        assert len(engine.keys) <= limits.idempotency_keys_max, "too many keys"
        if isinstance(first, OrderPlaced) and first.order_id in self._filled:
            assert engine.orders.open_count <= limits.open_orders_max, "too many open orders"


def levels_held(engine: Engine) -> dict[tuple[str, str, int], tuple[Lots, int]]:
    """Every level with orders: (instrument, side, price) to (quantity, orders)."""
    return {
        (name, ladder.side, level.price): (level.quantity, len(level.queue))
        for name, book in engine.books.items()
        for ladder in (book.bids, book.asks)
        for level in ladder.best_first()
    }
