"""The rule: the market as it stood at one sequence, best levels and newest trades first."""

from decimal import Decimal
from typing import Any

import pytest
import trio

from tradeclear.gateway import reads


async def test_an_empty_book(client: Any, body: Any) -> None:
    told = await body(await client.get("/orderbook"))
    assert told == {"instrument": "BTC-USD", "sequence": 1, "bids": [], "asks": []}


async def test_levels_with_sums(client: Any, order: Any, body: Any) -> None:
    for side, price, quantity in (
        ("buy", "99.99", "0.5"),
        ("buy", "100", "0.1"),
        ("buy", "100", "0.2"),
        ("sell", "100.01", "3"),
        ("sell", "101", "1"),
    ):
        await client.post("/orders", json=order(side=side, price=price, quantity=quantity))
    told = await body(await client.get("/orderbook?instrument=BTC-USD&levels=20"))
    assert told["sequence"] == 6
    assert told["bids"] == [
        level("100", "0.3", 2, "0.3", "30"),
        level("99.99", "0.5", 1, "0.8", "79.995"),
    ]
    assert told["asks"] == [
        level("100.01", "3", 1, "3", "300.03"),
        level("101", "1", 1, "4", "401.03"),
    ]
    best = await body(await client.get("/orderbook?levels=1"))
    assert (best["bids"], best["asks"]) == (told["bids"][:1], told["asks"][:1])


def level(price: str, quantity: str, orders: int, total: str, notional: str) -> dict[str, Any]:
    return {
        "price": Decimal(price),
        "quantity": Decimal(quantity),
        "orders": orders,
        "cumulative_quantity": Decimal(total),
        "cumulative_notional": Decimal(notional),
    }


async def test_a_book_waits_until_what_it_shows_is_durable(
    house: Any, client: Any, order: Any
) -> None:
    gate = house.partition.gate
    durable_at_reply: list[tuple[int, int]] = []
    replies: list[int] = []

    async def place() -> None:
        await client.post("/orders", json=order())

    async def look() -> None:
        reply = await house.app().test_client().get("/orderbook")
        told = await reply.get_json()
        replies.append(told["sequence"])
        durable_at_reply.append((told["sequence"], gate.durable))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(place)
            nursery.start_soon(look)
    assert len(replies) == 5
    assert all(shown <= durable for shown, durable in durable_at_reply)


async def trade(client: Any, order: Any, count: int, instrument: str = "BTC-USD") -> None:
    for _ in range(count):
        for side in ("sell", "buy"):
            fields = order(side=side, instrument=instrument, price=100, quantity=1)
            await client.post("/orders", json=fields)


async def ids(client: Any, body: Any, query: str = "") -> list[int]:
    told = await body(await client.get(f"/trades?{query}"))
    return [one["trade_id"] for one in told["trades"]]


async def test_trades_newest_first_page_by_page(client: Any, order: Any, body: Any) -> None:
    await trade(client, order, 5)
    assert await ids(client, body) == [5, 4, 3, 2, 1]
    assert await ids(client, body, "limit=2") == [5, 4]
    assert await ids(client, body, "limit=2&before=4") == [3, 2]
    assert await ids(client, body, "before=1") == []
    assert await ids(client, body, "before=99") == [5, 4, 3, 2, 1]


async def test_trades_of_an_instrument(
    client: Any, order: Any, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trade(client, order, 2)
    await trade(client, order, 3, "ETH-USD")
    await trade(client, order, 1)
    monkeypatch.setattr(reads, "SCAN_MAX", 2)
    assert await ids(client, body, "instrument=BTC-USD") == [6, 2, 1]
    assert await ids(client, body, "instrument=BTC-USD&limit=2") == [6, 2]
    assert await ids(client, body, "instrument=ETH-USD&before=5") == [4, 3]


async def test_forgotten_trades_are_aged_out(
    open_house: Any, order: Any, body: Any, problem: Any
) -> None:
    async with open_house({"trades_max": 3}) as house:
        client = house.app().test_client()
        await trade(client, order, 5)
        assert await ids(client, body) == [5, 4, 3]
        assert await ids(client, body, "before=4") == [3]
        await problem(await client.get("/trades?before=3"), 404, "aged_out")
        assert await ids(client, body, "before=1") == []


async def test_instruments(client: Any, body: Any) -> None:
    told = (await body(await client.get("/instruments")))["instruments"]
    assert [one["instrument"] for one in told] == ["BTC-USD", "ETH-USD", "OLD-USD"]
    assert [one["trading"] for one in told] == [True, True, False]
    assert (told[0]["tick_size"], told[0]["lot_size"]) == (Decimal("0.01"), Decimal("0.00001"))
    assert (told[1]["tick_size"], told[1]["lot_size"]) == (Decimal("0.05"), Decimal("0.1"))
    assert (told[1]["notional_min"], told[1]["quantity_max"]) == (1, 10000)
    assert (told[0]["price_max"], told[0]["quantity_min"]) == (10_000_000, Decimal("0.00001"))


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/orderbook?instrument=XRP-USD", "instrument"),
        ("/orderbook?instrument=", "instrument"),
        ("/orderbook?levels=0", "levels"),
        ("/orderbook?levels=1001", "levels"),
        ("/orderbook?level=5", "level"),
        ("/trades?limit=1001", "limit"),
        ("/trades?before=x", "before"),
        ("/trades?instrument=x", "instrument"),
        ("/instruments?x=1", "x"),
    ],
)
async def test_bad_parameters_are_named(client: Any, problem: Any, path: str, field: str) -> None:
    assert (await problem(await client.get(path), 400, "invalid_field"))["field"] == field
