"""The rule: told the records, the house knows what rests, and what others took of it."""

import random
from typing import Any

from tradeclear.model.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder, Quote
from tradeclear.model.events import TradeExecuted
from tradeclear.venues.shadow.house import House

BTC = "BTC-USD"
QUOTES = "house-quotes"
TRADES = "house-trades"


def house() -> House:
    return House(BTC, QUOTES, TRADES)


def test_a_quote_rests(core: Any) -> None:
    seen = house()
    assert seen.take(core.do(Quote(QUOTES, BTC, ((99, 5),), ((101, 7),)))) == []
    assert seen.quantities == {("buy", 99): 5, ("sell", 101): 7} == core.resting()


def test_less_and_gone(core: Any) -> None:
    seen = house()
    seen.take(core.do(Quote(QUOTES, BTC, ((99, 5), (98, 6)))))
    seen.take(core.do(Quote(QUOTES, BTC, ((99, 3), (98, 0)))))
    assert seen.quantities == {("buy", 99): 3} == core.resting()
    seen.take(core.do(CancelAll(QUOTES)))
    assert seen.quantities == {} == core.resting()


def test_a_user_takes(core: Any) -> None:
    seen = house()
    seen.take(core.do(Quote(QUOTES, BTC, (), ((101, 5), (102, 5)))))
    assert seen.take(core.place("buy", 102, 7)) == [(("sell", 101), 5), (("sell", 102), 2)]
    assert seen.quantities == {("sell", 102): 3} == core.resting()


def test_what_the_venue_traded_is_not_taken(core: Any) -> None:
    seen = house()
    seen.take(core.do(Quote(QUOTES, BTC, (), ((101, 5),))))
    assert seen.take(core.place("buy", 101, 2, client=TRADES)) == []
    assert seen.quantities == {("sell", 101): 3}


def test_a_quote_that_meets_a_user_counts_as_taken_at_its_own_price(core: Any) -> None:
    seen = house()
    seen.take(core.place("sell", 100, 2))
    assert seen.take(core.do(Quote(QUOTES, BTC, ((101, 5),)))) == [(("buy", 101), 2)]
    assert seen.quantities == {("buy", 101): 3} == core.resting()


def test_users_among_themselves_are_nothing_to_the_house(core: Any) -> None:
    seen = house()
    assert seen.take(core.place("sell", 100, 2)) == []
    assert seen.take(core.place("buy", 100, 1, client="bob")) == []
    assert seen.quantities == {}


def test_whatever_happens_it_knows_what_rests(core: Any) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    draw = random.Random(seed)
    seen, takings, given = house(), 0, 0
    for number in range(4_000):
        command: Any
        kind = draw.random()
        if kind < 0.5:
            middle = draw.randrange(20, 60)
            bids = {middle - draw.randrange(1, 9): draw.randrange(9) for _ in range(5)}
            asks = {middle + draw.randrange(9): draw.randrange(9) for _ in range(5)}
            command = Quote(QUOTES, BTC, tuple(bids.items()), tuple(asks.items()))
        elif kind < 0.9:
            client, side = draw.choice(["ann", "bob", TRADES]), draw.choice(["buy", "sell"])
            tif: Any = "ioc" if client == TRADES else "gtc"
            price, lots = draw.randrange(10, 70), draw.randrange(1, 9)
            command = PlaceOrder(f"o{number}", client, BTC, side, "limit", price, lots, tif)
        elif kind < 0.97:
            client = draw.choice(["ann", "bob"])
            command = CancelAll(client)
        else:  # nobody keeps a stranger from touching an order whose id he knows
            orders = list(core.engine.orders.open_of(QUOTES))
            if not orders:
                continue
            order = draw.choice(orders)
            command = draw.choice(
                [CancelOrder(order.order_id), AmendOrder(order.order_id, draw.randrange(10, 70), 9)]
            )
        record = core.do(command)
        for _place, lots in seen.take(record):
            takings += lots
        given += _given(record)
        assert seen.quantities == core.resting()
    assert takings == given > 1_000


def _given(record: Any) -> int:
    """What the house's quotes traded with users; not what it traded since it was amended."""
    command = record.command
    amended = command.order_id if isinstance(command, AmendOrder) else ""
    return sum(
        event.quantity
        for event in record.events
        if isinstance(event, TradeExecuted)
        and QUOTES in (event.buy_client_id, event.sell_client_id)
        and TRADES not in (event.buy_client_id, event.sell_client_id)
        and amended not in (event.buy_order_id, event.sell_order_id)
    )
