"""Open orders stay, closed ones until so many newer ones have closed; each is found every way."""

import pytest

from tradeclear.core.lifecycle import Order
from tradeclear.core.orders import OrderTable


def order(number: int, client: str = "ann", instrument: str = "BTC-USD") -> Order:
    return Order(f"o{number}", client, "buy", 100, 5, 5, instrument=instrument, sequence=number)


def closed(table: OrderTable, each: Order) -> None:
    each.status = "cancelled"
    table.close(each)


@pytest.fixture
def table() -> OrderTable:
    """o1 to o6, ann's but o3 and o6, which are bob's; o4 and then o2 are closed; two may be."""
    table = OrderTable(2)
    orders = [order(number, "ann" if number % 3 else "bob") for number in range(1, 7)]
    for each in orders:
        table.add(each)
    closed(table, orders[3])
    closed(table, orders[1])
    return table


def test_open_orders_are_counted(table: OrderTable) -> None:
    assert table.open_count == 4


def test_closed_orders_come_in_the_order_in_which_they_closed(table: OrderTable) -> None:
    assert [each.order_id for each in table.closed()] == ["o4", "o2"]


def test_oldest_closed_order_makes_room(table: OrderTable) -> None:
    closed(table, table.by_id["o1"])
    assert ([each.order_id for each in table.closed()], sorted(table.by_id)) == (
        ["o2", "o1"],
        ["o1", "o2", "o3", "o5", "o6"],
    )


def test_clients_open_orders_come_oldest_first(table: OrderTable) -> None:
    assert [each.order_id for each in table.open_of("ann")] == ["o1", "o5"]


def test_clients_orders_come_newest_first(table: OrderTable) -> None:
    assert [each.order_id for each in table.newest_of("ann")] == ["o5", "o4", "o2", "o1"]


def test_clients_orders_come_from_before_a_sequence(table: OrderTable) -> None:
    assert [each.order_id for each in table.newest_of("ann", before=4)] == ["o2", "o1"]


def test_clients_open_orders_come_newest_first_too(table: OrderTable) -> None:
    assert [each.order_id for each in table.newest_of("ann", open_only=True)] == ["o5", "o1"]


def test_unknown_client_has_no_orders(table: OrderTable) -> None:
    assert (list(table.open_of("eve")), list(table.newest_of("eve"))) == ([], [])


def test_client_without_orders_is_forgotten() -> None:
    table = OrderTable(0)
    only = order(1)
    table.add(only)
    closed(table, only)
    assert (table.by_id, table.clients, list(table.closed())) == ({}, {}, [])


def test_smaller_bound_forgets_at_once(table: OrderTable) -> None:
    table.resize(1)
    assert [each.order_id for each in table.closed()] == ["o2"]


def test_forgotten_instrument_takes_its_closed_orders_along() -> None:
    table = OrderTable(10)
    orders = [order(n, instrument="BTC-USD" if n % 2 else "ETH-USD") for n in range(1, 6)]
    for each in orders:
        table.add(each)
    for each in orders[:4]:
        closed(table, each)
    count = table.forget_instrument("BTC-USD")
    assert (count, [each.order_id for each in table.closed()], list(table.by_id)) == (
        2,
        ["o2", "o4"],
        ["o2", "o4", "o5"],
    )


def test_window_goes_on_after_an_instrument_was_forgotten() -> None:
    table = OrderTable(2)
    orders = [order(n, instrument="BTC-USD" if n == 1 else "ETH-USD") for n in range(1, 5)]
    for each in orders:
        table.add(each)
    for each in orders[:2]:
        closed(table, each)
    table.forget_instrument("BTC-USD")
    for each in orders[2:]:
        closed(table, each)
    assert [each.order_id for each in table.closed()] == ["o3", "o4"]


def test_loaded_table_is_as_the_one_it_was_taken_from(table: OrderTable) -> None:
    loaded = OrderTable(2)
    everyone = list(table.by_id.values())
    put_away = list(table.closed())
    loaded.load([each for each in reversed(everyone) if not each.closed], put_away)
    assert (list(loaded.by_id.values()), list(loaded.closed()), loaded.clients["ann"]) == (
        everyone,
        put_away,
        table.clients["ann"],
    )


def test_an_order_that_never_rested_is_closed_from_the_beginning(table: OrderTable) -> None:
    never = order(7)
    never.status = "filled"
    table.add(never)
    assert (
        [each.order_id for each in table.closed()],
        [each.order_id for each in table.open_of("ann")],
        [each.order_id for each in table.newest_of("ann")],
        table.open_count,
    ) == (["o2", "o7"], ["o1", "o5"], ["o7", "o5", "o2", "o1"], 4)
