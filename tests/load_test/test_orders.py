"""The rule: the load's orders can be sent for ever; half of them trade and the book stays small."""

import json
from decimal import Decimal

from loadtest.orders import PATTERNS, balanced_orders, resting_orders

from tradeclear.core.engine import Engine
from tradeclear.model.commands import Configure, Limits, PlaceOrder
from tradeclear.model.events import TradeExecuted
from tradeclear.model.instrument import define_instrument


def test_the_book_stays_small_and_half_of_the_orders_trade() -> None:
    engine = Engine()
    engine.apply(1, 1, Configure((define_instrument("BTC-USD"),), Limits()))
    orders, traded, most = balanced_orders(), 0, 0
    for seq in range(2, 2 + 10 * PATTERNS):
        order = orders[seq % PATTERNS]
        command = PlaceOrder(
            str(seq),
            order.client_id,
            "BTC-USD",
            order.side,
            "limit",
            order.price_ticks,
            order.quantity_lots,
        )
        events = engine.apply(seq, seq, command)
        traded += any(isinstance(event, TradeExecuted) for event in events)
        most = max(most, engine.orders.open_count)
    assert 0.45 < traded / (10 * PATTERNS) < 0.55
    assert most < 200


def test_one_seed_one_list() -> None:
    assert balanced_orders(3) == balanced_orders(3)
    assert balanced_orders(3) != balanced_orders(4)


def test_a_body_is_what_the_api_takes() -> None:
    order = balanced_orders()[0]
    body = json.loads(order.body(), parse_float=Decimal)
    assert body["price"] * 100 == order.price_ticks
    assert body["quantity"] * 100_000 == order.quantity_lots
    assert set(body) == {"client_id", "instrument", "side", "type", "price", "quantity"}


def test_resting_orders_lie_beyond_those_that_trade() -> None:
    far = resting_orders(1_000)
    balanced = balanced_orders()
    assert max(o.price_ticks for o in far if o.side == "buy") < min(o.price_ticks for o in balanced)
    assert min(o.price_ticks for o in far if o.side == "sell") > max(
        o.price_ticks for o in balanced
    )
