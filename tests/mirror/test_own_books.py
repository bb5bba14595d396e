"""The rule: a copy of our book is what GET /orderbook would show, and never what a crash undoes."""

import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tradeclear.core.depth import LevelBook
from tradeclear.core.engine import Engine
from tradeclear.mirror.own_books import OwnBooks
from tradeclear.model.commands import Configure, Limits, PlaceOrder
from tradeclear.model.errors import OutcomeUnknown
from tradeclear.model.events import LevelChanged
from tradeclear.model.instrument import define_instrument
from tradeclear.pipeline.book_image import BookImage
from tradeclear.pipeline.exchange import Exchange
from tradeclear.pipeline.partition import Partition
from tradeclear.pipeline.snapshotter import Snapshotter
from tradeclear.telemetry.metrics import Metrics

CONFIGURE = Configure(
    instruments=(define_instrument("BTC-USD"), define_instrument("ETH-USD")), limits=Limits()
)


class HeldLog:
    """A log that syncs when it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.let.set()
        self.broken = False

    def append(self, _first_seq: int, _records: object) -> int:
        assert self.let.wait(30)
        if self.broken:
            raise OSError(5, "Input/output error")
        return 0

    def read(self, seq: int) -> bytes:
        raise AssertionError(seq)


class House:
    def __init__(self) -> None:
        self.log = HeldLog()
        self.engine = Engine()
        metrics = Metrics()
        self.partition = Partition(
            engine=self.engine,
            log=self.log,
            clock=lambda: 1,
            quarantine=NoQuarantine(),
            metrics=metrics,
            input_channel_max=1000,
        )
        snapshotter = Snapshotter(
            partition=self.partition,
            store=None,  # type: ignore[arg-type]
            interval_s=1,
            last_seq=0,
            metrics=metrics,
            after=trio.lowlevel.checkpoint,
        )
        self.exchange = Exchange(self.partition, snapshotter)
        self.orders = 0

    async def place(self, side: str, price: int, quantity: int, instrument: str = "BTC-USD") -> int:
        """Place an order, in ticks and lots; returns its sequence."""
        self.orders += 1
        command = PlaceOrder(
            f"o{self.orders}", "c", instrument, side, "limit", price, quantity  # type: ignore[arg-type]
        )  # fmt: skip
        return (await self.exchange.submit(command)).record.seq


class NoQuarantine:
    def __contains__(self, _digest: bytes) -> bool:
        return False

    def __len__(self) -> int:
        return 0

    def add(self, _digest: bytes, *, seq: int, problem: str) -> None:
        raise AssertionError(seq, problem)


@asynccontextmanager
async def running() -> AsyncIterator[House]:
    house = House()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.partition.run)
        await house.exchange.submit(CONFIGURE)
        yield house
        house.partition.stop()


async def test_an_image_has_the_texts_that_are_displayed() -> None:
    async with running() as house:
        await house.place("buy", 10_050, 25_000)
        await house.place("buy", 10_050, 1)
        seq = await house.place("sell", 10_100, 100_000)
        image = await OwnBooks(house.exchange).books["BTC-USD"].image(10)
        assert image == BookImage(
            sequence=seq, bids=[("100.5", "0.25001", 2)], asks=[("101", "1", 1)]
        )


async def test_an_image_waits_until_what_it_shows_is_durable() -> None:
    async with running() as house:
        book = OwnBooks(house.exchange).books["BTC-USD"]
        house.log.let.clear()
        found: list[BookImage | None] = []

        async def look() -> None:
            found.append(await book.image(10))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(house.place, "buy", 100, 1)
            await wait_all_tasks_blocked()
            assert house.engine.seq == 2, "the matcher is ahead of the disk"
            nursery.start_soon(look)
            await wait_all_tasks_blocked()
            assert found == []
            house.log.let.set()
        assert found == [BookImage(sequence=2, bids=[("1", "0.00001", 1)], asks=[])]


async def test_after_a_failure_of_the_log_nothing_is_told() -> None:
    house = House()

    async def run() -> None:
        try:
            await house.partition.run()
        except* OSError:
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await house.exchange.submit(CONFIGURE)
        house.log.broken = True
        with suppress(OutcomeUnknown):
            await house.place("buy", 100, 1)
        assert await OwnBooks(house.exchange).books["BTC-USD"].image(10) is None


async def test_who_changed_is_told_and_nobody_else() -> None:
    async with running() as house:
        own = OwnBooks(house.exchange)
        told: list[str] = []
        for name, book in own.books.items():
            book.on_change(lambda name=name: told.append(name))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(own.run)
            await wait_all_tasks_blocked()
            assert sorted(told) == ["BTC-USD", "ETH-USD"], "at first nobody knows"
            told.clear()
            await house.place("buy", 100, 1, "ETH-USD")
            await wait_all_tasks_blocked()
            assert told == ["ETH-USD"]
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_images_equal_what_the_log_tells_of_the_levels(seed: int) -> None:
    rng = random.Random(seed)
    async with running() as house:
        book = OwnBooks(house.exchange).books["BTC-USD"]
        levels = LevelBook()
        with house.exchange.follow(10_000) as subscription:
            for number in range(300):
                await house.place(rng.choice(["buy", "sell"]), rng.randrange(90, 110), 1)
                if number % 10:
                    continue
                for record in await subscription.take():
                    for event in record.events:
                        if isinstance(event, LevelChanged):
                            levels.apply(event)
                image = await book.image(1000)
                assert image is not None
                shown = {("buy", one) for one in image.bids} | {("sell", one) for one in image.asks}
                instrument = book.instrument
                assert shown == {
                    (
                        side,
                        (
                            instrument.price_text(price),
                            instrument.quantity_text(quantity),
                            orders,
                        ),
                    )
                    for (_name, side, price), (quantity, orders) in levels.levels.items()
                }
