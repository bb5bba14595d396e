"""The rule: an order can be found as long as it is remembered; pages miss none and repeat none."""

from decimal import Decimal
from typing import Any

import pytest

from tradeclear.gateway import reads


async def test_one_order_open_and_past(client: Any, order: Any, body: Any) -> None:
    placed = await body(await client.post("/orders", json=order(order_id="o")))
    assert await body(await client.get("/orders/o")) == placed["order"]
    cancelled = await body(await client.delete("/orders/o"))
    assert await body(await client.get("/orders/o")) == cancelled["order"]


async def test_a_maker_shows_what_became_of_it(client: Any, order: Any, body: Any) -> None:
    await client.post("/orders", json=order(order_id="m", side="sell", quantity=1))
    await client.post("/orders", json=order(order_id="t"))
    told = await body(await client.get("/orders/m"))
    assert (told["status"], told["filled_quantity"]) == ("partially_filled", Decimal("0.25"))
    assert (told["sequence"], told["updated_sequence"]) == (2, 3)
    assert told["created_at"] < told["updated_at"]


async def test_an_unknown_order_is_404(client: Any, problem: Any) -> None:
    told = await problem(await client.get("/orders/none"), 404, "unknown_order")
    assert told["code"] == 202


async def place_many(client: Any, order: Any, count: int) -> None:
    for number in range(count):
        client_id = "client-A" if number % 2 else "client-B"
        await client.post("/orders", json=order(order_id=f"o{number}", client_id=client_id))


async def pages(client: Any, body: Any, query: str) -> list[str]:
    ids: list[str] = []
    cursor = ""
    for _page in range(20):
        told = await body(await client.get(f"/orders?{query}{cursor}"))
        ids += [order["order_id"] for order in told["orders"]]
        if told["next_cursor"] is None:
            return ids
        cursor = f"&cursor={told['next_cursor']}"
    raise AssertionError("pages without an end")


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_of_a_client_and_of_all(client: Any, order: Any, body: Any, limit: int) -> None:
    await place_many(client, order, 7)
    await client.delete("/orders/o3")
    assert await pages(client, body, f"client_id=client-A&limit={limit}") == ["o5", "o3", "o1"]
    assert await pages(client, body, f"limit={limit}") == [f"o{n}" for n in range(6, -1, -1)]


@pytest.mark.parametrize(
    ("status", "ids"),
    [
        ("open", ["o5", "o1"]),
        ("cancelled", ["o3"]),
        ("open,cancelled", ["o5", "o3", "o1"]),
        ("filled", []),
    ],
)
async def test_pages_by_status(
    client: Any, order: Any, body: Any, status: str, ids: list[str]
) -> None:
    await place_many(client, order, 6)
    await client.delete("/orders/o3")
    assert await pages(client, body, f"client_id=client-A&status={status}&limit=1") == ids


async def test_a_page_ends_after_a_bounded_search(
    client: Any, order: Any, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place_many(client, order, 6)
    await client.delete("/orders/o0")
    monkeypatch.setattr(reads, "SCAN_MAX", 2)
    first = await body(await client.get("/orders?status=cancelled"))
    assert (first["orders"], first["next_cursor"]) == ([], "6")
    assert await pages(client, body, "status=cancelled") == ["o0"]


async def test_an_unknown_client_has_no_orders(client: Any, body: Any) -> None:
    told = await body(await client.get("/orders?client_id=nobody"))
    assert told == {"orders": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("client_id=", "client_id"),
        ("client_id=%00", "client_id"),
        ("client_id=%ff", "client_id"),
        ("status=done", "status"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=", "limit"),
        ("limit=1e2", "limit"),
        ("cursor=abc", "cursor"),
        ("cursor=0", "cursor"),
        ("cursor=-1", "cursor"),
        ("page=2", "page"),
        ("client_id=" + "a" * 4096, "query"),
    ],
)
async def test_bad_parameters_are_named(client: Any, problem: Any, query: str, field: str) -> None:
    told = await problem(await client.get(f"/orders?{query}"), 400, "invalid_field")
    assert told["field"] == field
