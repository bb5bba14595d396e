"""Configuration is a command: all instruments, no new grid under open orders, bounds at once."""

from typing import Any

from tradeclear.core.engine import Engine
from tradeclear.model import reasons
from tradeclear.model.commands import Configure, Limits
from tradeclear.model.events import CommandRefused, Configured, OrderPlaced

BTC = "BTC-USD"
ETH = "ETH-USD"
REFUSED = (CommandRefused(reasons.CONFIGURATION_REFUSED),)


def test_first_configuration_is_in_force(instrument: Any) -> None:
    engine = Engine()
    engine.apply(1, 0, Configure((instrument(BTC),), Limits(trades_max=7), partition=2))
    assert (engine.instruments, engine.limits, engine.partition) == (
        {BTC: instrument(BTC)},
        Limits(trades_max=7),
        2,
    )


def test_every_known_instrument_must_be_named(exchange: Any, instrument: Any) -> None:
    assert exchange.configure(instrument(ETH)) == REFUSED


def test_refused_configuration_changes_nothing(exchange: Any, instrument: Any) -> None:
    before = dict(exchange.engine.instruments), exchange.engine.limits
    exchange.configure(instrument(ETH, price_ticks_max=5), trades_max=3)
    assert (exchange.engine.instruments, exchange.engine.limits) == before


def test_instrument_can_be_added(exchange: Any, instrument: Any) -> None:
    exchange.configure(instrument(BTC), instrument(ETH), instrument("SOL-USD"))
    (placed, *_rest) = exchange.buy("b", 100, 1, on="SOL-USD")
    assert placed == OrderPlaced("b", "open", 1, 1, 0, reasons.NONE)


def test_other_limits_of_an_instrument_leave_its_orders(exchange: Any, instrument: Any) -> None:
    exchange.buy("b", 100, 5)
    exchange.configure(instrument(BTC, price_ticks_max=50, trading=False), instrument(ETH))
    assert exchange.queue("buy") == [("b", 100, 5)]


def test_new_grid_is_refused_while_orders_are_open(exchange: Any, instrument: Any) -> None:
    exchange.buy("b", 100, 5)
    assert exchange.configure(instrument(BTC, price_step=5), instrument(ETH)) == REFUSED


def test_new_lot_size_is_a_new_grid(exchange: Any, instrument: Any) -> None:
    exchange.sell("s", 100, 5)
    assert exchange.configure(instrument(BTC, quantity_step=5), instrument(ETH)) == REFUSED


def test_open_orders_elsewhere_do_not_hinder_a_new_grid(exchange: Any, instrument: Any) -> None:
    exchange.buy("e", 100, 5, on=ETH)
    assert exchange.configure(instrument(BTC, price_step=5), instrument(ETH)) == (Configured(0),)


def test_same_grid_written_otherwise_is_no_new_grid(exchange: Any, instrument: Any) -> None:
    exchange.buy("b", 100, 5)
    same = instrument(BTC, price_scale=4, price_step=100)
    assert exchange.configure(same, instrument(ETH)) == (Configured(0),)


def test_new_grid_forgets_that_instruments_closed_orders_and_trades(
    exchange: Any, instrument: Any
) -> None:
    exchange.sell("s", 100, 5)
    exchange.buy("b", 100, 5)
    exchange.sell("t", 100, 5, on=ETH)
    exchange.buy("c", 100, 5, on=ETH)
    told = exchange.configure(instrument(BTC, price_step=5), instrument(ETH))
    kept = [trade.executed.instrument for trade in exchange.engine.trades.values()]
    assert (told, kept, list(exchange.engine.orders.by_id)) == ((Configured(2),), [ETH], ["t", "c"])


def test_new_grid_is_dated(exchange: Any, instrument: Any) -> None:
    exchange.configure(instrument(BTC, price_step=5), instrument(ETH))
    assert exchange.engine.grid_since == {BTC: 2, ETH: 1}


def test_smaller_bounds_forget_at_once(exchange: Any) -> None:
    exchange.sell("s", 100, 3)
    for number in range(3):
        exchange.buy(f"b{number}", 100, 1)
    exchange.limit(closed_orders_max=1, trades_max=2)
    engine = exchange.engine
    assert ([order.order_id for order in engine.orders.closed()], list(engine.trades)) == (
        ["b2"],
        [2, 3],
    )


def test_smaller_bound_of_open_orders_closes_none(exchange: Any) -> None:
    exchange.buy("b", 100, 1)
    exchange.buy("c", 100, 1)
    exchange.limit(open_orders_max=1)
    assert exchange.queue("buy") == [("b", 100, 1), ("c", 100, 1)]


def test_partition_is_set_once(exchange: Any, instrument: Any) -> None:
    exchange.apply(Configure((instrument(BTC), instrument(ETH)), Limits(), partition=5))
    assert (exchange.engine.partition, exchange.engine.next_trade_id) == (0, 1)
