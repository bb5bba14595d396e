"""`POST /market` walks the freshest book exactly, changes nothing, and refuses when that is old."""

import json
import random
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import trio

from tradeclear.gateway.market_orders import MarketOrders
from tradeclear.gateway.rate_limits import TokenBuckets
from tradeclear.gateway.routing import Call
from tradeclear.routing.outside import Level
from tradeclear.venues.book import Book
from tradeclear.venues.market import Market

SEED = 20260106
BOOKS = 10_000
UNIT = 10**8


def buckets(rate_per_s: int = 0, burst: int = 1) -> TokenBuckets:
    return TokenBuckets(rate_per_s=rate_per_s, burst=burst, clock=lambda: 0.0)


def levels(*texts: tuple[str, str]) -> list[Level]:
    return [(int(Decimal(price) * UNIT), int(Decimal(size) * UNIT)) for price, size in texts]


def show(market: Market, bids: list[Level], asks: list[Level]) -> None:
    market.streamed(Book(market.version + 1, bids, asks))


@pytest.fixture
def market() -> Market:
    return Market("BTCUSDT", stale_after_s=5)


@pytest.fixture
def asking(house: Any, market: Market) -> Callable[..., Any]:
    """`client = asking(limit=…)`: Quart's test client with the routes of `market`."""

    def make(market: Market | None = market, **limits: int) -> Any:
        routes = MarketOrders(market, buckets(**limits)).routes()
        return house.app(routes=routes).test_client()

    return make


async def test_a_buy_walks_the_asks(asking: Any, market: Market, body: Any) -> None:
    show(market, levels(("99", "1")), levels(("100", "2"), ("101", "3"), ("110", "10")))
    client = asking()
    told = await body(await client.post("/market", data=b'{"side":"buy","amount":5}'))
    assert told == {
        "filled": 5,
        "avg_price": Decimal("100.6"),
        "slippage_pct": Decimal("0.6"),
        "status": "filled",
    }
    again = await body(await client.post("/market", data=b'{"side":"buy","amount":"5.0"}'))
    assert again == told, "the walk changed something"


async def test_a_sell_walks_the_bids_and_worse_is_positive(
    asking: Any, market: Market, body: Any
) -> None:
    show(market, levels(("100", "2"), ("99", "3")), levels(("101", "1")))
    told = await body(await asking().post("/market", data=b'{"side":"sell","amount":4}'))
    assert (told["avg_price"], told["slippage_pct"]) == (Decimal("99.5"), Decimal("0.5"))


async def test_too_little_depth_is_partial(asking: Any, market: Market, body: Any) -> None:
    show(market, levels(("100", "2")), [])
    client = asking()
    told = await body(await client.post("/market", data=b'{"side":"sell","amount":6.5}'))
    assert told == {"filled": 2, "avg_price": 100, "slippage_pct": 0, "status": "partial"}
    told = await body(await client.post("/market", data=b'{"side":"buy","amount":6.5}'))
    assert told == {"filled": 0, "avg_price": None, "slippage_pct": None, "status": "partial"}


@pytest.mark.parametrize(
    ("text", "name", "field"),
    [
        (b'{"side":"buy"}', "invalid_field", "amount"),
        (b'{"amount":1}', "invalid_field", "side"),
        (b'{"side":"hold","amount":1}', "invalid_field", "side"),
        (b'{"side":"buy","amount":0}', "invalid_field", "amount"),
        (b'{"side":"buy","amount":-1}', "invalid_field", "amount"),
        (b'{"side":"buy","amount":"1e999999999"}', "invalid_field", "amount"),
        (b'{"side":"buy","amount":"NaN"}', "invalid_field", "amount"),
        (b'{"side":"buy","amount":0.000000001}', "invalid_field", "amount"),
        (b'{"side":"buy","amount":null}', "invalid_field", "amount"),
        (b'{"side":"buy","amount":[1]}', "invalid_field", "amount"),
        (b'{"side":"buy","amount":1,"price":2}', "invalid_field", "price"),
        (b"", "malformed_body", None),
        (b"[]", "malformed_body", None),
        (b'{"side":', "malformed_body", None),
        (b'{"side":"\xff"}', "malformed_body", None),
    ],
)
async def test_bad_input_is_400_and_names_the_field(
    asking: Any, market: Market, problem: Any, text: bytes, name: str, field: str | None
) -> None:
    show(market, levels(("99", "1")), levels(("100", "1")))
    told = await problem(await asking().post("/market", data=text), 400, name)
    assert told.get("field") == field


async def test_a_stale_book_is_refused_and_shown_as_such(
    asking: Any, market: Market, body: Any, problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, order = asking(), b'{"side":"buy","amount":1}'
    reply = await client.post("/market", data=order)
    assert reply.headers["Retry-After"] == "1"
    await problem(reply, 503, "market_stale")
    await problem(await client.get("/market/depth"), 503, "market_stale")
    show(market, levels(("99", "1")), levels(("100", "1")))
    assert (await client.post("/market", data=order)).status_code == 200
    later = trio.current_time() + 5.1
    monkeypatch.setattr(trio, "current_time", lambda: later)
    told = await problem(await client.post("/market", data=order), 503, "market_stale")
    assert "BTCUSDT was last heard of 5." in told["detail"]
    shown = await body(await client.get("/market/depth"))
    assert (shown["stale"], shown["age_s"] > 5) == (True, True)


async def test_depth_says_where_it_is_from_and_how_old(
    asking: Any, market: Market, body: Any, problem: Any
) -> None:
    show(market, levels(("99", "1"), ("98", "0.5")), levels(("100.01", "1")))
    client = asking()
    told = await body(await client.get("/market/depth?levels=1"))
    assert told.pop("age_s") < 5
    assert told == {
        "symbol": "BTCUSDT",
        "source": "stream",
        "update_id": 1,
        "stale": False,
        "bids": [[99, 1]],
        "asks": [[Decimal("100.01"), 1]],
    }
    await problem(await client.get("/market/depth?levels=0"), 400, "invalid_field")


async def test_without_a_feed_there_is_no_market(asking: Any, problem: Any) -> None:
    client = asking(market=None)
    reply = await client.post("/market", data=b'{"side":"buy","amount":1}')
    assert "--feed binance" in (await problem(reply, 404, "no_market"))["detail"]
    await problem(await client.get("/market/depth"), 404, "no_market")


async def test_an_address_may_ask_so_often(asking: Any, market: Market, problem: Any) -> None:
    show(market, levels(("99", "1")), levels(("100", "1")))
    client = asking(rate_per_s=1, burst=2)
    order = b'{"side":"buy","amount":1}'
    replies = [await client.post("/market", data=order) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert [reply.headers["RateLimit-Remaining"] for reply in replies] == ["1", "0", "0"]
    assert replies[2].headers["Retry-After"] == "1"
    await problem(replies[2], 429, "rate_limited")


async def test_ten_thousand_random_books_against_a_slow_and_obvious_walk() -> None:
    print(f"seed {SEED}")  # noqa: T201
    chance = random.Random(SEED)
    seen = set()
    for _ in range(BOOKS):
        market = Market("BTCUSDT", stale_after_s=5)
        bids, asks = random_book(chance)
        show(market, bids, asks)
        side, amount = chance.choice(("buy", "sell")), random_amount(chance)
        text = json.dumps({"side": side, "amount": str(amount)}).encode()
        reply = await MarketOrders(market, buckets()).market_order(Call(body=text))
        told = json.loads(reply.body, parse_float=Decimal, parse_int=Decimal)
        assert told == obvious(side, amount, bids, asks), (side, amount, bids, asks)
        seen.add((side, told["status"], told["avg_price"] is None, bool(told["slippage_pct"])))
    assert len(seen) == 10, "the books are too much alike"


def random_book(chance: random.Random) -> tuple[list[Level], list[Level]]:
    """Up to a dozen levels a side, in no order, in the finest steps there are."""
    middle = chance.randint(10**6, 10**13)
    width = chance.choice((20, 10**6))

    def side(sign: int) -> list[Level]:
        count = chance.choice((0, 1, 3, 12))
        distances = chance.sample(range(1, width), count)
        return [
            (middle + sign * one, chance.randint(1, 10 ** chance.randint(1, 10)))
            for one in distances
        ]

    return side(-1), side(1)


def random_amount(chance: random.Random) -> Decimal:
    return Decimal(chance.randint(1, 10 ** chance.randint(1, 11))).scaleb(-8)


def obvious(
    side: str, amount: Decimal, bids: list[Level], asks: list[Level]
) -> dict[str, Decimal | str | None]:
    """The same in fractions, a level at a time, by sorting and adding up."""
    levels = sorted(asks) if side == "buy" else sorted(bids, reverse=True)
    left, fills = Fraction(amount), []
    for price, quantity in levels:
        size = min(left, Fraction(quantity, UNIT))
        if size > 0:
            fills.append((Fraction(price, UNIT), size))
            left -= size
    filled = sum((size for _, size in fills), Fraction(0))
    told: dict[str, Decimal | str | None] = {
        "filled": rounded(filled),
        "avg_price": None,
        "slippage_pct": None,
        "status": "filled" if left == 0 else "partial",
    }
    if fills:
        average = sum(price * size for price, size in fills) / filled
        best = fills[0][0]
        worse = (average - best) if side == "buy" else (best - average)
        told["avg_price"] = rounded(average)
        told["slippage_pct"] = rounded(worse / best * 100)
        assert all(
            better < worse
            for better, worse in pairwise(p * (1 if side == "buy" else -1) for p, _ in fills)
        )
    return told


def rounded(value: Fraction) -> Decimal:
    """Half-even to 8 decimals."""
    with localcontext() as context:
        context.prec = 100
        whole = Decimal(round(value * UNIT))  # Python rounds fractions half to even
        return (whole / UNIT).quantize(Decimal(1).scaleb(-8), ROUND_HALF_EVEN)
