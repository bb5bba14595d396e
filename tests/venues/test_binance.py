"""The real ccxt against the simulated venue, over sockets: numbers exact, refusals translated."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import trio

from tradeclear.testing.venue_sim.faults import parse_fault
from tradeclear.testing.venue_sim.server import running_venue
from tradeclear.testing.venue_sim.venue import Venue
from tradeclear.testing.venue_sim.walk import Walk
from tradeclear.venues.binance import QUIET_S, Binance
from tradeclear.venues.errors import VenueBusy, VenueRefused, VenueUnavailable
from tradeclear.venues.messages import read_levels

SEED = 7


class Simulated:
    def __init__(self, venue: Venue, address: str) -> None:
        self.venue = venue
        self.url = f"http://{address}"

    def client(self, symbol: str = "BTC/USDT") -> Binance:
        return Binance(symbol, url=self.url)

    def order(self, *faults: str) -> None:
        for text in faults:
            self.venue.faults.order(parse_fault(text), trio.current_time())


@pytest.fixture
async def simulated() -> AsyncIterator[Simulated]:
    venue = Venue(Walk("BTCUSDT", SEED), wait=True)  # nobody listens: the book stands still
    async with running_venue(venue) as address:
        yield Simulated(venue, address)


async def test_a_snapshot_is_exact(simulated: Simulated) -> None:
    snapshot = await simulated.client().depth(20)
    book = simulated.venue.book
    assert snapshot.update_id == book.update_id
    assert snapshot.bids == read_levels(book.bids(20))
    assert snapshot.asks == read_levels(book.asks(20))
    assert len(snapshot.bids) == 20


async def test_ccxt_as_its_users_use_it(simulated: Simulated) -> None:
    import ccxt  # type: ignore[import-untyped, unused-ignore]

    exchange = ccxt.binance()
    for name, url in exchange.urls["api"].items():
        if isinstance(url, str):
            path = url.partition("://")[2].partition("/")[2]
            exchange.urls["api"][name] = f"{simulated.url}/{path}"

    def use() -> tuple[Any, Any, Any, Any]:
        return (
            exchange.load_markets(),
            exchange.fetch_order_book("BTC/USDT", 5),
            exchange.fetch_ticker("BTC/USDT"),
            exchange.fetch_time(),
        )

    markets, book, ticker, time_ms = await trio.to_thread.run_sync(use)
    (bid, _), (ask, _) = simulated.venue.book.bids(1)[0], simulated.venue.book.asks(1)[0]
    assert list(markets) == ["BTC/USDT"]
    assert (book["bids"][0][0], book["asks"][0][0]) == (float(bid), float(ask))
    assert (len(book["bids"]), book["nonce"]) == (5, simulated.venue.book.update_id)
    assert (ticker["bid"], ticker["ask"]) == (float(bid), float(ask))
    assert time_ms > 0


@pytest.mark.parametrize(
    ("fault", "wait_s"), [("429,retry_after_s=7", 7), ("418,retry_after_s=120", 120)]
)
async def test_a_venue_that_wants_quiet_gets_it(
    simulated: Simulated, fault: str, wait_s: int
) -> None:
    simulated.order(fault)
    client = simulated.client()
    with pytest.raises(VenueBusy) as busy:
        await client.depth(20)
    assert busy.value.retry_after_s == wait_s
    with pytest.raises(VenueBusy) as again:
        await client.depth(20)
    assert wait_s - 5 < again.value.retry_after_s <= wait_s
    assert simulated.venue.faults.happened == {"status": 1}, "it was asked again"
    assert QUIET_S > 0


async def test_faults_of_the_venue_are_told_as_such(simulated: Simulated) -> None:
    client = simulated.client()
    simulated.order("500", "502", "503")
    for _ in range(3):
        with pytest.raises(VenueUnavailable):
            await client.depth(20)
    assert (await client.depth(20)).bids


async def test_a_symbol_that_is_not_traded_is_our_mistake(simulated: Simulated) -> None:
    with pytest.raises(VenueRefused, match="Invalid symbol"):
        await simulated.client("NO/SUCH").depth(20)


async def test_a_venue_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(VenueUnavailable):
        await Binance("BTC/USDT", url="http://127.0.0.1:9").depth(20)


async def test_an_answer_that_is_no_book_is_unavailable(simulated: Simulated) -> None:
    client = simulated.client()
    answers: list[Any] = [{}, {"lastUpdateId": 1, "bids": [["x", "1"]], "asks": []}, [], None]
    for answer in answers:
        client._exchange.public_get_depth = partial(lambda told, _: told, answer)
        with pytest.raises(VenueUnavailable, match="no order book"):
            await client.depth(20)


async def test_who_does_not_want_to_wait_any_longer_does_not(simulated: Simulated) -> None:
    simulated.order("slow,delay_s=3")
    with trio.move_on_after(0.2) as scope:
        await simulated.client().depth(20)
    assert scope.cancelled_caught
