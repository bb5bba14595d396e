"""The simulated venue agrees with itself, is the same for a seed, and obeys orders for faults."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import islice
from typing import Any

import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed

from tradeclear.testing.venue_sim.faults import (
    FAULTS_MAX,
    Fault,
    Faults,
    FaultUnreadable,
    parse_fault,
)
from tradeclear.testing.venue_sim.server import running_venue
from tradeclear.testing.venue_sim.sim_book import SimBook
from tradeclear.testing.venue_sim.venue import Venue
from tradeclear.testing.venue_sim.walk import Walk
from tradeclear.venues.web_socket import connect_socket

SEED = 11
WAIT_S = 10


def test_the_same_seed_is_the_same_market() -> None:
    def play(seed: int) -> list[Any]:
        return list(islice(Walk("BTCUSDT", seed).messages(), 2_000))

    assert play(SEED) == play(SEED)
    assert play(SEED) != play(SEED + 1)


def test_diffs_best_levels_and_trades_agree() -> None:
    print(f"seed {SEED}")  # noqa: T201
    walk = Walk("BTCUSDT", SEED)
    book, last, trades, compared = walk.book(), walk.book().update_id, 0, 0
    tickers: dict[int, Any] = {}
    for message in islice(walk.messages(), 20_000):
        told = json.loads(message.data)
        kind = message.stream.partition("@")[2]
        if kind == "trade":
            assert told["t"] == trades + 1
            trades += 1
        elif kind == "bookTicker":
            tickers[told["u"]] = [(told["b"], told["B"]), (told["a"], told["A"])]
        else:
            assert told["U"] == last + 1, "updates have no gap"
            last = told["u"]
            assert message.diff is not None
            book.apply(message.diff.last, message.diff.bids, message.diff.asks)
            best = [*book.bids(1), *book.asks(1)]
            assert float(best[0][0]) < float(best[1][0])
            if last in tickers:
                assert best == tickers[last]
                compared += 1
    assert trades > 1_000
    assert compared > 500


def test_a_book_takes_a_diff_once() -> None:
    book = SimBook(5, [("10.00", "1")], [])
    book.apply(5, [("10.00", "9")], [])
    assert book.bids(5) == [("10.00", "1")]
    book.apply(6, [("10.00", "0.00000000"), ("9.00", "2")], [("11", "1")])
    assert (book.bids(5), book.asks(5), book.update_id) == ([("9.00", "2")], [("11", "1")], 6)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("gap", Fault(kind="gap")),
        ("gap,at_s=5,count=3", Fault(kind="gap", at_s=5, count=3)),
        ("outage,for_s=60", Fault(kind="outage", for_s=60)),
        ("429,retry_after_s=2", Fault(kind="status", status=429, retry_after_s=2)),
        ("5xx", Fault(kind="status", status=503)),
    ],
)
def test_faults_as_they_are_written(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize("text", ["", "flood", "gap,often=1", "gap,count=x", "gap,count", "200"])
def test_what_is_no_fault_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(FaultUnreadable, match="KIND"):
        parse_fault(text)


def test_a_fault_happens_at_its_time_and_so_often() -> None:
    faults = Faults()
    faults.order(Fault(kind="gap", at_s=5, count=2), 100)
    assert [bool(faults.take("gap", now)) for now in (104, 105, 106, 107)] == [0, 1, 1, 0]
    faults.order(Fault(kind="drop", at_s=1, for_s=2), 200)
    assert [bool(faults.take("drop", now)) for now in (200, 201, 202, 203)] == [0, 1, 1, 0]
    assert faults.happened == {"gap": 2, "drop": 2}
    assert faults.to_come(300) == []


def test_faults_to_come_are_bounded() -> None:
    faults = Faults()
    for _ in range(FAULTS_MAX):
        faults.order(Fault(kind="gap"), 0)
    with pytest.raises(FaultUnreadable):
        faults.order(Fault(kind="gap"), 0)


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async with running_venue(Venue(Walk("BTCUSDT", SEED))) as address:
        yield address


async def test_faults_are_ordered_and_called_off_while_it_runs(address: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        order = {"kind": "status", "status": 418, "retry_after_s": 9}
        assert (await client.post("/sim/faults", json=order)).status_code == 201
        reply = await client.get("/api/v3/depth?symbol=BTCUSDT")
        assert (reply.status_code, reply.headers["Retry-After"]) == (418, "9")
        assert (await client.get("/api/v3/depth?symbol=BTCUSDT&limit=5")).status_code == 200
        assert (await client.post("/sim/faults", json={"kind": "flood"})).status_code == 400
        await client.post("/sim/faults", json={"kind": "status", "for_s": 100})
        assert (await client.get("/api/v3/ping")).status_code == 503
        assert (await client.delete("/sim/faults")).json() == {"faults": []}
        assert (await client.get("/api/v3/ping")).json() == {}
        state = (await client.get("/sim/state")).json()
        assert state["happened"] == {"status": 2}


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/api/v3/depth", 400, -1102),
        ("/api/v3/depth?symbol=NOPE", 400, -1121),
        ("/api/v3/depth?symbol=BTCUSDT&limit=0", 400, -1100),
        ("/api/v3/depth?symbol=BTCUSDT&limit=x", 400, -1100),
        ("/api/v3/account", 404, -1000),
    ],
)
async def test_refusals_as_binance_words_them(
    address: str, target: str, status: int, code: int
) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        reply = await client.get(target)
    assert (reply.status_code, reply.json()["code"]) == (status, code)


async def test_raw_and_combined_streams(address: str) -> None:
    with trio.fail_after(WAIT_S):
        async with connect_socket(f"ws://{address}/ws/btcusdt@trade") as socket:
            assert json.loads(await socket.get_message())["e"] == "trade"
        url = f"ws://{address}/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker"
        async with connect_socket(url) as socket:
            seen = {json.loads(await socket.get_message())["stream"] for _ in range(30)}
    assert seen == {"btcusdt@depth@100ms", "btcusdt@bookTicker"}


async def test_subscribing_while_connected(address: str) -> None:
    with trio.fail_after(WAIT_S):
        async with connect_socket(f"ws://{address}/ws") as socket:
            for method, streams, result in (
                ("SUBSCRIBE", ["btcusdt@trade"], None),
                ("LIST_SUBSCRIPTIONS", [], ["btcusdt@trade"]),
                ("UNSUBSCRIBE", ["btcusdt@trade"], None),
            ):
                command = {"method": method, "params": streams, "id": 7}
                await socket.send_message(json.dumps(command))
                while "result" not in (told := json.loads(await socket.get_message())):
                    assert told["e"] == "trade"
                assert told == {"result": result, "id": 7}
            await socket.send_message("{")
            assert "error" in json.loads(await socket.get_message())


async def test_an_outage_breaks_connections_and_ends(address: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        async with connect_socket(f"ws://{address}/ws/btcusdt@trade") as socket:
            await client.post("/sim/faults", json={"kind": "outage", "for_s": 0.5})
            with trio.fail_after(WAIT_S), suppress(ConnectionClosed):
                while True:
                    await socket.get_message()
            assert socket.closed is not None
        with pytest.raises(httpx.TransportError):
            await client.get("/api/v3/ping")
        with trio.fail_after(WAIT_S):
            while True:
                try:
                    assert (await client.get("/api/v3/ping")).status_code == 200
                    break
                except httpx.TransportError:
                    await trio.sleep(0.05)
