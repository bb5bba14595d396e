"""The rule: a client and the real exchange understand each other, at both doors."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path

import pytest
import trio

from tradeclear.client import (
    Client,
    InvalidField,
    OrderEntry,
    Patience,
    Refused,
    Stream,
    Topic,
    TradesUpdate,
    open_client,
)
from tradeclear.testing.server import NO_RATE_LIMITS, Server, running_server

SECONDS_MAX = 60


@pytest.fixture(params=["front door", "no front door"])
async def server(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Server]:
    front_door = "true" if request.param == "front door" else "false"
    environment = {**NO_RATE_LIMITS, "TRADECLEAR_FRONT_DOOR": front_door}
    async with running_server(tmp_path / "server", environment=environment) as running:
        yield running


@pytest.fixture
async def client(server: Server) -> AsyncGenerator[Client]:
    async with open_client(server.url) as opened:
        yield opened


async def test_the_life_of_orders(client: Client) -> None:
    """The same by HTTP and by WebSocket."""
    orders = client.orders("client-A")
    await live_and_die(client, orders, "http/1")
    async with client.order_socket("client-A") as socket:
        await live_and_die(client, socket, "ws@1")
    listed = [order.order_id async for order in orders.list()]
    assert listed == ["ws@1", "http/1"]
    assert [order async for order in orders.list("open")] == []


async def live_and_die(client: Client, orders: OrderEntry, order_id: str) -> None:
    placed = await orders.place(
        "buy", Decimal("0.25"), Decimal("70150.5"), order_id=order_id, idempotency_key=order_id
    )
    again = await orders.place(
        "buy", Decimal("0.25"), Decimal("70150.5"), order_id=order_id, idempotency_key=order_id
    )
    assert (placed.replayed, again.replayed, again.order) == (False, True, placed.order)
    amended = await orders.amend(order_id, quantity=Decimal("0.5"))
    assert (amended.order.quantity, amended.order.price) == (Decimal("0.5"), Decimal("70150.5"))
    met = await client.orders("client-B").place("sell", Decimal("0.1"))
    assert [(t.price, t.quantity) for t in met.trades] == [(Decimal("70150.5"), Decimal("0.1"))]
    assert (await client.market.trades(limit=1))[0].trade_id == met.trades[0].trade_id
    found = await client.orders("client-A").get(order_id)
    assert (found.status, found.filled_quantity) == ("partially_filled", Decimal("0.1"))
    assert (await orders.cancel(order_id)).status == "cancelled"
    with pytest.raises(Refused) as refused:
        await orders.cancel(order_id)
    assert (refused.value.code, refused.value.name) == (203, "order_closed")
    with pytest.raises(Refused) as refused:
        await orders.place("buy", Decimal("0.000001"), 1)
    assert (refused.value.name, refused.value.field) == ("invalid_field", "quantity")


async def test_a_live_book(client: Client) -> None:
    orders = client.orders("client-A")
    await orders.place("buy", 1, 99)
    with trio.fail_after(SECONDS_MAX):
        async with client.depth("BTC-USD") as depth:
            placed = await orders.place("sell", 2, Decimal("100.5"))
            await depth.wait_sequence(placed.order.sequence)
            shown = await client.market.orderbook(levels=5)
            bids, asks = depth.levels(5)
    for told, level in zip((*bids, *asks), (*shown.bids, *shown.asks), strict=True):
        assert told.price == level.price
        assert (told.quantity, told.orders) == (level.quantity, level.orders)


async def test_what_can_not_be_followed_is_refused(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        async with client.depth("NO-SUCH"):
            pass
    assert refused.value.field == "instrument"


@pytest.mark.parametrize(
    "url", ["", "exchange", "ftp://exchange", "http://", "http://exchange:99999"]
)
async def test_what_is_no_url(url: str) -> None:
    with pytest.raises(InvalidField) as refused:
        async with open_client(url):
            pass
    assert refused.value.field == "url"


async def test_rate_limits_are_told_with_how_long_to_wait(tmp_path: Path) -> None:
    environment = {
        "TRADECLEAR_RATE_LIMIT_CLIENT_PER_S": "1",
        "TRADECLEAR_RATE_LIMIT_CLIENT_BURST": "2",
    }
    async with (
        running_server(tmp_path / "server", environment=environment) as server,
        open_client(server.url) as client,
    ):
        orders = client.orders("client-A")
        with pytest.raises(Refused) as refused:
            await place_many(orders, 10)
    assert (refused.value.name, refused.value.retry_after_s) == ("rate_limited", 1)


async def place_many(orders: OrderEntry, count: int) -> None:
    for _ in range(count):
        await orders.place("buy", 1, 1)


SMALL_TRADES = 300
"""More than wait in a stream's buffer."""

LARGE_TRADES = 1_000
"""What one command makes: about 300 kB for a subscriber."""


async def test_a_reader_that_is_cut_off_loses_nothing(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with (
            running_server(tmp_path / "server") as server,
            open_client(server.url, stream_patience=Patience(first_s=0.02)) as client,
            client.stream(Topic.trades("BTC-USD")) as stream,
        ):
            await until_live(stream)
            async with client.order_socket("client-A") as orders:
                for _ in range(SMALL_TRADES):
                    await trade(orders, 1)
                for _ in range(3):
                    await trade(orders, LARGE_TRADES)
            await until_cut_off(server)
            most = SMALL_TRADES + 3 * LARGE_TRADES
            told: list[int] = []
            while len(told) < most:
                message = await stream.receive()
                if isinstance(message, TradesUpdate):
                    told += [one.trade_id for one in message.trades]
            assert told == list(range(1, most + 1))
            assert stream.statistics().cut_offs >= 1


async def until_live(stream: Stream) -> None:
    while stream.state != "live":
        await stream.receive()


async def trade(orders: OrderEntry, count: int) -> None:
    """`count` trades by one command."""
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(orders.place, "sell", 1, 100)
    await orders.place("buy", count, 100)


async def until_cut_off(server: Server) -> None:
    async with await server.connect() as connection:
        while True:
            metrics = (await connection.request("GET", "/metrics")).body.decode().splitlines()
            (count,) = [line.split()[1] for line in metrics if line.startswith("stream_cut_off_")]
            if float(count) > 0:
                return
            await trio.sleep(0.05)
