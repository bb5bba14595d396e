"""The rule: who follows the streams knows what the exchange knows, whatever is cut or killed."""

import os
import random
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
import trio

from tradeclear.client import Client, OrderEntry, Patience, Refused, Stream, Topic, open_client
from tradeclear.testing.proxy import Proxy, open_proxy
from tradeclear.testing.server import NO_RATE_LIMITS, Server, running_server

from .witness import Witness, state

INSTRUMENT = "BTC-USD"
TRADERS = 8
ORDERS_OF_A_TRADER = 100
HARM_EVERY = 120
"""So many messages lie between two acts of harm."""

PATIENCE = Patience(first_s=0.02, most_s=0.5, give_up_s=60, reply_s_max=10)
SECONDS_MAX = 120


@pytest.fixture
def source() -> random.Random:
    seed = int(os.environ.get("TRADECLEAR_TEST_SEED", random.randrange(2**32)))
    print(f"seed {seed}: TRADECLEAR_TEST_SEED")  # noqa: T201
    return random.Random(seed)


@pytest.mark.parametrize("front_door", ["true", "false"])
async def test_cut_and_killed(front_door: str, tmp_path: Path, source: random.Random) -> None:
    environment = {**NO_RATE_LIMITS, "TRADECLEAR_FRONT_DOOR": front_door}
    with trio.fail_after(SECONDS_MAX):
        async with (
            running_server(
                tmp_path / "server",
                environment=environment,
                arguments=["--port", str(await free_port())],
            ) as server,
            open_proxy(server.host, server.port) as proxy,
            open_client(f"http://{proxy.host}:{proxy.port}", patience=PATIENCE) as client,
        ):
            await Survival(server, proxy, client, source).run()


async def free_port() -> int:
    """A port that the server can come back to."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        return int(listener.socket.getsockname()[1])


class Survival:
    """Traders trade, someone follows, someone looks at the book, and someone does harm."""

    def __init__(self, server: Server, proxy: Proxy, client: Client, source: random.Random) -> None:
        self.server = server
        self.proxy = proxy
        self.client = client
        self.random = source
        self.witness = Witness()
        self.messages = 0
        self.harm_is_due = trio.Event()
        self.live = trio.Event()
        self.last_sequence = 0
        self.answered: set[str] = set()

    async def run(self) -> None:
        topics = [
            Topic.deltas(INSTRUMENT),
            Topic.trades(INSTRUMENT),
            *(Topic.orders(INSTRUMENT, f"trader-{number}") for number in range(TRADERS)),
        ]
        async with self.client.stream(*topics) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(self._look)
            nursery.start_soon(self._harm)
            nursery.start_soon(self._trade_and_finish)
            await self._follow(stream)
            statistics = stream.statistics()
            nursery.cancel_scope.cancel()
        await self._compare_all()
        assert set(self.witness.resumes) == {"none", "replayed"}
        assert statistics.connections > 2
        assert statistics.gaps == 0
        assert self.witness.compared > 2

    async def _trade_and_finish(self) -> None:
        await self.live.wait()
        async with trio.open_nursery() as nursery:
            for number in range(TRADERS):
                nursery.start_soon(self._trade, f"trader-{number}")
        last = await self.client.orders("trader-0").place("buy", 1, 1, order_id="last")
        self.answered.add("last")
        self.last_sequence = last.order.sequence

    async def _trade(self, client_id: str) -> None:
        async with self.client.order_socket(client_id) as orders:
            for number in range(ORDERS_OF_A_TRADER):
                await self._act(orders, f"{client_id}:{number}")

    async def _act(self, orders: OrderEntry, order_id: str) -> None:
        """Place an order around 100, sometimes at the market; then perhaps amend or cancel it."""
        side = "buy" if self.random.random() < 0.5 else "sell"
        price = Decimal(9_950 + self.random.randrange(100)) / 100
        quantity = Decimal(1 + self.random.randrange(300)) / 100
        market = self.random.random() < 0.05
        placed = await orders.place(side, quantity, None if market else price, order_id=order_id)
        self.answered.add(placed.order.order_id)
        try:
            if self.random.random() < 0.3:
                await orders.cancel(order_id)
            elif self.random.random() < 0.2:
                await orders.amend(order_id, quantity=quantity + 1)
        except Refused as refused:
            if refused.name != "order_closed":
                raise

    async def _follow(self, stream: Stream) -> None:
        async for message in stream:
            self.witness.take(message)
            self.messages += 1
            if self.messages % HARM_EVERY == 0:
                self.harm_is_due.set()
            if stream.state == "live" and not stream.statistics().waiting:
                self.live.set()
                told = self.witness.book.sequence >= self.last_sequence > 0
                if told and "last" in self.witness.orders:
                    return

    async def _look(self) -> None:
        """Fetch the book now and then."""
        while True:
            self.witness.expect(await self.client.market.orderbook(INSTRUMENT, levels=1_000))
            await trio.sleep(0.02)

    async def _harm(self) -> None:
        for act in self._acts():
            self.harm_is_due = trio.Event()
            await self.harm_is_due.wait()
            await act()

    def _acts(self) -> Iterator[partial[object]]:
        for number in range(6):
            yield partial(self._kill if number % 3 == 1 else self._cut)

    async def _cut(self) -> None:
        self.proxy.cut()

    async def _kill(self) -> None:
        """Kill -9, with everything under way."""
        await self.server.restart()

    async def _compare_all(self) -> None:
        """At the end: the book, every trade, every order, and none twice."""
        self.witness.assert_same(await self.client.market.orderbook(INSTRUMENT, levels=1_000))
        trades = await self.client.market.trades(INSTRUMENT, limit=1_000)
        while trades and trades[-1].trade_id > 1:
            trades += await self.client.market.trades(
                INSTRUMENT, limit=1_000, before=trades[-1].trade_id
            )
        told = [(trade.trade_id, trade.price, trade.quantity) for trade in self.witness.trades]
        assert told == [(trade.trade_id, trade.price, trade.quantity) for trade in reversed(trades)]
        known = {
            order.order_id: state(order)
            for number in range(TRADERS)
            async for order in self.client.orders(f"trader-{number}").list()
        }
        assert known == self.witness.orders
        assert known.keys() == self.answered
        assert len(known) == TRADERS * ORDERS_OF_A_TRADER + 1
