"""What is asked of the engine, as functions of it: quick, and changing nothing.

They run between two commands (`Exchange.query`), so each looks at a bounded part of the state and
takes copies; making text of them comes later, outside.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tradeclear.core.configuring import PARTITION_TRADE_IDS
from tradeclear.core.depth import Depth, depth
from tradeclear.core.engine import Engine
from tradeclear.core.lifecycle import Order
from tradeclear.model.order import OrderState
from tradeclear.model.trade import Trade
from tradeclear.model.units import Seq

SCAN_MAX: Final = 20_000
"""So many orders or trades are looked at between two commands."""


class OrderPage(NamedTuple):
    """Orders, newest first; there is more before sequence `before` unless that is None."""

    orders: list[OrderState]
    before: Seq | None


class TradePage(NamedTuple):
    """Trades, newest first. `before`: look on from there, None if there are no older ones."""

    trades: list[Trade]
    before: int | None


def find_order(engine: Engine, order_id: str) -> OrderState | None:
    """The order, if it is open or remembered."""
    order = engine.orders.by_id.get(order_id)
    return None if order is None else order.state()


def instrument_names(engine: Engine, order_ids: list[str]) -> dict[str, str]:
    """Order id to instrument, for those that are known."""
    by_id = engine.orders.by_id
    return {one: by_id[one].instrument for one in order_ids if one in by_id}


def list_orders(
    engine: Engine,
    client_id: str | None,
    statuses: frozenset[str],
    before: Seq | None,
    limit: int,
) -> OrderPage:
    """Orders of a client (None: of all) in one of `statuses` (none given: any), newest first.

    The page may hold fewer than `limit` although there are more, and more by the rest of one
    command's orders: it ends where a sequence ends.
    """
    if client_id is None:
        orders = _newest(engine, before)
    else:
        orders = engine.orders.newest_of(client_id, open_only=statuses == {"open"}, before=before)
    page: list[OrderState] = []
    last = before
    for looked_at, order in enumerate(orders):
        if (len(page) >= limit or looked_at >= SCAN_MAX) and order.sequence != last:
            return OrderPage(page, last)
        last = order.sequence
        if not statuses or order.status in statuses:
            page.append(order.state())
    return OrderPage(page, None)


def _newest(engine: Engine, before: Seq | None) -> Iterator[Order]:
    """Every order, newest first: the table is filled in that order."""
    for order in reversed(engine.orders.by_id.values()):
        if before is None or order.sequence < before:
            yield order


def read_depth(engine: Engine, instrument: str, levels: int) -> tuple[Seq, Depth]:
    """The best levels of a book, and the sequence at which it looked so."""
    return engine.seq, depth(engine.books[instrument], levels)


def list_trades(
    engine: Engine, instrument: str | None, before: int | None, limit: int
) -> TradePage:
    """Trades with ids under `before` (None: the newest), newest first."""
    oldest = _oldest_trade(engine)
    trade_id = engine.next_trade_id if before is None else min(before, engine.next_trade_id)
    stop = max(oldest, trade_id - SCAN_MAX)
    page: list[Trade] = []
    while trade_id > stop and len(page) < limit:
        trade_id -= 1
        trade = engine.trades.get(trade_id)
        if trade is not None and instrument in (None, trade.executed.instrument):
            page.append(trade)
    return TradePage(page, trade_id if trade_id > oldest else None)


def trades_forgotten(engine: Engine, before: int) -> bool:
    """Whether all trades older than `before` are forgotten, and there were some."""
    return _first_trade(engine) < before <= _oldest_trade(engine)


def _first_trade(engine: Engine) -> int:
    return engine.partition * PARTITION_TRADE_IDS + 1


def _oldest_trade(engine: Engine) -> int:
    """No trade with a smaller id is remembered."""
    return max(_first_trade(engine), engine.next_trade_id - engine.limits.trades_max)
