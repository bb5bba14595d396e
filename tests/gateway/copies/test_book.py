"""The rule: a copy is shown as the exchange shows the book, with its age, or not at all."""

import json
from decimal import Decimal
from typing import Any

import pytest

from .conftest import SetCopies, levels


async def body(response: Any) -> Any:
    return json.loads(await response.get_data(), parse_float=Decimal)


async def test_a_book_with_its_sums_and_its_age(client: Any) -> None:
    response = await client.get("/orderbook?instrument=BTC-USD")
    assert (await response.get_data()).decode() == (
        '{"instrument":"BTC-USD","sequence":7,"bids":['
        '{"price":100.5,"quantity":0.25,"orders":1,'
        '"cumulative_quantity":0.25,"cumulative_notional":25.125},'
        '{"price":99,"quantity":1,"orders":1,'
        '"cumulative_quantity":1.25,"cumulative_notional":124.125}],"asks":['
        '{"price":101,"quantity":0.00000001,"orders":1,'
        '"cumulative_quantity":0.00000001,"cumulative_notional":0.00000101}],"age_s":0.25}'
    )


async def test_the_first_book_if_none_is_named_and_as_many_levels_as_asked(client: Any) -> None:
    told = await body(await client.get("/orderbook?levels=1"))
    assert (told["instrument"], len(told["bids"])) == ("BTC-USD", 1)


async def test_notionals_are_rounded_half_even_to_8_decimals(
    client: Any, copies: SetCopies
) -> None:
    book = copies.books["ETH-USD"]
    for price, rounded in (("0.00000005", "0.00000002"), ("0.00000003", "0.00000002")):
        image = type(book)(sequence=1, bids=levels(f"{price} 0.5"), asks=[])
        copies.set("ETH-USD", image)
        told = await body(await client.get("/orderbook?instrument=ETH-USD"))
        assert told["bids"][0]["cumulative_notional"] == Decimal(rounded)


@pytest.mark.parametrize(
    ("query", "field"), [("levels=0", "levels"), ("levels=1001", "levels"), ("instrument=X", "i")]
)
async def test_what_can_not_be_shown_names_the_field(client: Any, query: str, field: str) -> None:
    response = await client.get(f"/orderbook?{query}")
    told = await body(response)
    assert (response.status_code, told["name"]) == (400, "invalid_field")
    assert told["field"].startswith(field)


async def test_a_copy_that_is_not_fit_to_be_shown_is_503(client: Any, copies: SetCopies) -> None:
    copies.fail("Redis is gone")
    for path in ("/orderbook", "/readyz"):
        response = await client.get(path)
        told = await body(response)
        assert (response.status_code, told["name"]) == (503, "copy_unavailable")
        assert told["detail"] == "Redis is gone"
        assert response.headers["Retry-After"] == "1"
    assert (await client.get("/healthz")).status_code == 200


async def test_readiness_tells_the_ages(client: Any) -> None:
    told = await body(await client.get("/readyz"))
    assert told == {"ready": True, "age_s": {"BTC-USD": Decimal("0.25"), "ETH-USD": 0}}


async def test_it_describes_itself(client: Any) -> None:
    told = await body(await client.get("/openapi.json"))
    assert sorted(told["paths"]) == [
        "/docs", "/healthz", "/metrics", "/openapi.json", "/orderbook", "/readyz"
    ]  # fmt: skip
    assert (await client.get("/metrics")).status_code == 200
