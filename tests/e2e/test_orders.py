"""The rule: many clients at once or a book that runs dry, quantities add up to the last lot."""

from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
import trio

from tradeclear.testing.crash_comparison import pages
from tradeclear.testing.server import Connection, Server

CLIENTS = 1_000


async def post(connection: Connection, **order: Any) -> dict[str, Any]:
    body = {"client_id": "tester", "instrument": "BTC-USD", **order}
    reply = await connection.request("POST", "/orders", msgspec.json.encode(body))
    assert reply.status == 201, reply
    told: dict[str, Any] = reply.json()
    return told


async def show_book(connection: Connection) -> dict[str, Any]:
    reply = await connection.request("GET", "/orderbook?instrument=BTC-USD&levels=20")
    assert reply.status == 200, reply
    book: dict[str, Any] = reply.json()
    return book


async def test_thousand_clients_at_one_price(server: Server) -> None:
    sequences: list[int] = []
    ready, go = 0, trio.Event()

    async def trade(number: int) -> None:
        nonlocal ready
        async with await server.connect() as connection:
            ready += 1
            if ready == CLIENTS:
                go.set()
            await go.wait()
            order = (
                await post(
                    connection,
                    client_id=f"client-{number}",
                    order_id=f"order-{number}",
                    side="buy",
                    type="limit",
                    price="70000.00",
                    quantity=f"0.{number + 1:05}",
                )
            )["order"]
            assert (order["order_id"], order["status"]) == (f"order-{number}", "open")
            sequences.append(order["sequence"])

    async with trio.open_nursery() as nursery:
        for number in range(CLIENTS):
            nursery.start_soon(trade, number)

    assert sorted(sequences) == list(range(min(sequences), min(sequences) + CLIENTS))
    async with await server.connect() as connection:
        book = await show_book(connection)
        listed = await pages(connection, "/orders?status=open", "orders")
    quantity = sum(Decimal(number + 1) for number in range(CLIENTS)) / 100_000
    (level,) = book["bids"]
    assert book["asks"] == []
    assert (level["price"], level["quantity"], level["orders"]) == (70_000, quantity, CLIENTS)
    assert Counter(order["order_id"] for order in listed) == Counter(
        f"order-{number}" for number in range(CLIENTS)
    )


async def test_market_orders_run_the_book_dry(server: Server) -> None:
    async with await server.connect() as connection:
        for name, price, quantity in (
            ("a", "100.00", "1"),
            ("b", "101.00", "2"),
            ("c", "101.00", "3"),
        ):
            await post(
                connection, order_id=name, side="sell", type="limit", price=price, quantity=quantity
            )
        first = await post(connection, order_id="m1", side="buy", type="market", quantity="2.5")
        assert fills(first) == [("a", 100, 1), ("b", 101, Decimal("1.5"))]
        assert state(first["order"]) == ("filled", Decimal("2.5"), 0, Decimal("100.6"), True, None)
        assert [
            (level["price"], level["quantity"], level["orders"])
            for level in (await show_book(connection))["asks"]
        ] == [(101, Decimal("3.5"), 2)]

        second = await post(connection, order_id="m2", side="buy", type="market", quantity="10")
        assert fills(second) == [("b", 101, Decimal("0.5")), ("c", 101, 3)]
        assert state(second["order"]) == (
            "partially_filled",
            Decimal("3.5"),
            Decimal("6.5"),
            101,
            True,
            None,
        )
        book = await show_book(connection)
        assert (book["bids"], book["asks"]) == ([], [])

        third = await post(connection, order_id="m3", side="buy", type="market", quantity="1")
        assert fills(third) == []
        assert state(third["order"]) == ("rejected", 0, 1, None, True, "no_liquidity")

        makers = [(await connection.request("GET", f"/orders/{name}")).json() for name in "abc"]
        trades = (await connection.request("GET", "/trades?limit=50")).json()["trades"]
    assert [state(maker)[:3] for maker in makers] == [
        ("filled", 1, 0),
        ("filled", 2, 0),
        ("filled", 3, 0),
    ]
    assert trades == [*reversed(second["trades"]), *reversed(first["trades"])]


def fills(told: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(t["maker_order_id"], t["price"], t["quantity"]) for t in told["trades"]]


def state(order: dict[str, Any]) -> tuple[Any, ...]:
    return (
        order["status"],
        order["filled_quantity"],
        order["remaining_quantity"],
        order["average_price"],
        order["closed"],
        order["reject_reason"],
    )
