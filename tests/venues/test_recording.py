"""The rule: eleven recorded minutes give a book that never crosses and agrees with bookTicker.

Wherever a diff and a bookTicker end with the same update, best prices and quantities are equal:
1,072 times. Once by our synchronizer alone, held against the recording by the test itself; once the
whole way, replayed by venue-sim over sockets to ccxt and to the stream client.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import trio

from tradeclear.routing.outside import Level
from tradeclear.telemetry.metrics import Metrics
from tradeclear.testing.venue_sim.recording import Recording, RecordingUnreadable
from tradeclear.testing.venue_sim.server import running_venue
from tradeclear.testing.venue_sim.venue import Venue
from tradeclear.venues.binance import Binance
from tradeclear.venues.market import Market
from tradeclear.venues.messages import (
    Diff,
    Snapshot,
    Ticker,
    Trade,
    read_level,
    read_levels,
    read_message,
)
from tradeclear.venues.poller import Poller
from tradeclear.venues.stream import Stream
from tradeclear.venues.synchronizer import Synchronizer

EQUAL = 1_072
MESSAGES = {"diff": 6_495, "ticker": 73_174, "trade": 19_904}
REPLAY_S_MAX = 300


@pytest.fixture(scope="session")
def files(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "binance").glob("*.gz"))


def messages(files: list[Path]) -> Iterator[str]:
    for file in files:
        with gzip.open(file, "rt") as lines:
            for line in lines:
                yield line.partition(" ")[2]


def best_by_update(files: list[Path]) -> dict[int, tuple[Level, Level]]:
    """What bookTicker says, by the update it says it of."""
    tickers = (json.loads(text)["data"] for text in messages(files) if "@bookTicker" in text)
    return {
        one["u"]: (read_level(one["b"], one["B"]), read_level(one["a"], one["A"]))
        for one in tickers
    }


def test_the_recording_by_binances_rules(files: list[Path]) -> None:
    best = best_by_update(files)
    synchronizer, equal, kinds = Synchronizer(), 0, Counter[str]()
    for text in messages(files):
        if text.startswith('{"lastUpdateId"'):
            told = json.loads(text)
            bids, asks = read_levels(told["bids"]), read_levels(told["asks"])
            assert synchronizer.take_snapshot(Snapshot(told["lastUpdateId"], bids, asks))
            continue
        message = read_message(text)
        assert isinstance(message, Diff | Ticker | Trade)
        kinds[type(message).__name__.lower()] += 1
        if not isinstance(message, Diff):
            continue
        assert synchronizer.take(message) in ("applied", "waiting")
        book = synchronizer.book
        if book is None:
            continue
        assert not book.crossed
        if book.update_id in best:
            assert (book.bids.best(), book.asks.best()) == best[book.update_id]
            equal += 1
    assert kinds == MESSAGES
    assert equal == EQUAL


def test_one_diff_less_is_noticed(files: list[Path]) -> None:
    diffs = (read_message(text) for text in messages(files) if "@depth" in text)
    synchronizer = Synchronizer()
    first = next(diffs)
    assert isinstance(first, Diff)
    assert synchronizer.take_snapshot(Snapshot(first.first - 1, (), ()))
    synchronizer.take(first)
    next(diffs)
    third = next(diffs)
    assert isinstance(third, Diff)
    assert synchronizer.take(third) == "gap"


async def test_the_recording_through_venue_sim(files: list[Path]) -> None:
    venue = Venue(Recording(files), speed=0, wait=True)
    metrics, market = Metrics(), Market("BTCUSDT", stale_after_s=5)
    async with running_venue(venue) as address, trio.open_nursery() as nursery:
        binance = Binance("BTC/USDT", url=f"http://{address}")
        stream = Stream(
            binance,
            market,
            url=f"ws://{address}",
            silence_s_max=60,
            reconnect_after_s=86_400,
            metrics=metrics,
        )
        poller = Poller(binance, market, interval_s=2, metrics=metrics)
        nursery.start_soon(stream.run)
        nursery.start_soon(poller.run)
        with trio.fail_after(REPLAY_S_MAX):
            await venue.ended.wait()
            while metrics.feed_messages.total() < sum(MESSAGES.values()):
                await market.wait_changed(market.version)
        book = stream.book
        assert book is not None
        assert book.update_id == venue.book.update_id
        assert tuple(book.bids.best_first())[:1000] == read_levels(venue.book.bids(1000))
        assert tuple(book.asks.best_first())[:1000] == read_levels(venue.book.asks(1000))
        nursery.cancel_scope.cancel()
    assert metrics.feed_messages == MESSAGES
    assert (metrics.feed_resyncs, metrics.feed_reconnects) == ({}, 0)
    assert stream.compared == EQUAL
    assert metrics.feed_polls.keys() == {"answered"}


def test_the_simulators_book_is_the_recordings(files: list[Path]) -> None:
    recording = Recording(files)
    assert recording.symbol == "BTCUSDT"
    best, book, equal = best_by_update(files), recording.book(), 0
    for message in islice(recording.messages(), 20_000):
        if message.diff is None:
            continue
        before = book.update_id
        book.apply(message.diff.last, message.diff.bids, message.diff.asks)
        if book.update_id in best and book.update_id > before:
            shown = (read_levels(book.bids(1))[0], read_levels(book.asks(1))[0])
            assert shown == best[book.update_id]
            equal += 1
    assert equal > 100


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "lastUpdateId"), (b"12 {\n", "line 1"), (b'x {"stream":"a@trade","data":{}}', "line 1")],
)
def test_what_is_no_recording_is_told(tmp_path: Path, content: bytes, word: str) -> None:
    file = tmp_path / "recording.gz"
    file.write_bytes(gzip.compress(content))
    with pytest.raises(RecordingUnreadable, match=word):
        Recording([file])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingUnreadable, match=r"none\.gz"):
        Recording([tmp_path / "none.gz"])
