"""The rule: whatever goes wrong on the way, a book that is called fresh is right and is fresh.

The feed runs on the simulated venue, in memory and on the autojump clock. Ten times a second what
it shows is held against what the venue's book was.
"""

from typing import Any

import pytest
import trio

from tradeclear.testing.venue_sim.faults import parse_fault
from tradeclear.venues.synchronizer import Synchronizer


async def order(feed: Any, *faults: str) -> None:
    for text in faults:
        feed.venue.faults.order(parse_fault(text), trio.current_time())


async def test_without_faults_it_follows(open_feed: Any, autojump_clock: Any) -> None:
    async with open_feed() as feed:
        await feed.watch(30)
        feed.assert_in_step()
        assert feed.metrics.feed_resyncs == {}
        assert feed.metrics.feed_reconnects == 0
        assert feed.stale_seen == 0
        assert feed.stream.compared > 100
        assert feed.metrics.feed_polls == {"answered": 16}


@pytest.mark.parametrize(
    ("fault", "resyncs"),
    [
        ("gap", 1),
        ("gap,count=5", 1),
        ("drop,count=40", 1),
        ("duplicate,count=20", 0),
        ("reorder", 1),
        ("reorder,count=3", 3),
        ("garbage,count=30", 0),
    ],
)
async def test_messages_lost_and_mangled(
    open_feed: Any, autojump_clock: Any, fault: str, resyncs: int
) -> None:
    async with open_feed() as feed:
        await feed.watch(5)
        await order(feed, fault)
        await feed.watch(20)
        feed.assert_in_step()
        assert feed.metrics.feed_resyncs["gap"] in range(min(resyncs, 1), resyncs + 1)
        assert feed.metrics.feed_resyncs.keys() <= {"gap"}
        assert feed.metrics.feed_reconnects == 0
        assert feed.stale_seen == 0
        kind = fault.partition(",")[0]
        assert feed.venue.faults.happened[kind] >= 1
        assert feed.metrics.feed_messages["unreadable"] == (30 if kind == "garbage" else 0)


@pytest.mark.parametrize("fault", ["429,count=2,retry_after_s=1", "418,retry_after_s=3", "5xx"])
async def test_refused_snapshots(open_feed: Any, autojump_clock: Any, fault: str) -> None:
    async with open_feed() as feed:
        await feed.watch(5)
        await order(feed, fault, "gap")
        await feed.watch(20)
        feed.assert_in_step()
        assert feed.venue.faults.happened["status"] >= 1


async def test_refused_for_long_the_stream_alone_is_enough(
    open_feed: Any, autojump_clock: Any
) -> None:
    async with open_feed() as feed:
        await feed.watch(5)
        await order(feed, "5xx,for_s=30")
        await feed.watch(29)
        feed.assert_in_step()
        assert feed.metrics.feed_polls["failed"] > 10
        assert feed.stale_seen == 0


async def test_a_stream_that_is_gone_for_long_the_polls_alone_are_enough(
    open_feed: Any, autojump_clock: Any
) -> None:
    async with open_feed() as feed:
        await feed.watch(5)
        feed.sources.clear()
        await order(feed, "drop,for_s=30")
        await feed.watch(8)
        assert feed.sources == {"stream", "poll"}
        await feed.watch(35)
        feed.assert_in_step()
        assert feed.stale_seen == 0


@pytest.mark.parametrize("delay_s", [1, 4, 12])
async def test_a_stream_that_lags(open_feed: Any, autojump_clock: Any, delay_s: int) -> None:
    async with open_feed() as feed:
        await feed.watch(5)
        await order(feed, f"delay,for_s=30,delay_s={delay_s}")
        feed.sources.clear()
        await feed.watch(70)
        feed.assert_in_step()
        assert ("poll" in feed.sources) == (delay_s > 5)


async def test_a_half_open_connection(open_feed: Any, autojump_clock: Any) -> None:
    async with open_feed() as feed:
        await feed.watch(5)
        await order(feed, "half_open")
        await feed.watch(9)
        assert feed.metrics.feed_reconnects == 0
        await feed.watch(11)
        assert feed.metrics.feed_reconnects == 1
        feed.assert_in_step()
        assert "poll" in feed.sources


async def test_a_connection_that_the_venue_closes(open_feed: Any, autojump_clock: Any) -> None:
    async with open_feed() as feed:
        await feed.watch(5)
        await order(feed, "disconnect")
        await feed.watch(10)
        assert feed.metrics.feed_reconnects == 1
        feed.assert_in_step()
        assert feed.stale_seen == 0


async def test_an_outage_of_a_minute(open_feed: Any, autojump_clock: Any) -> None:
    async with open_feed() as feed:
        await feed.watch(5)
        await order(feed, "outage,for_s=60")
        await feed.watch(59)
        reading = feed.market.reading()
        assert reading is not None
        assert reading.stale
        assert 50 < reading.age_s < 60
        assert feed.stale_seen > 500
        await feed.watch(20)
        feed.assert_in_step()


async def test_a_connection_is_left_before_its_day_is_over(
    open_feed: Any, autojump_clock: Any
) -> None:
    async with open_feed(reconnect_after_s=15) as feed:
        await feed.watch(40)
        assert feed.metrics.feed_reconnects == 2
        feed.assert_in_step()
        assert feed.stale_seen == 0


async def test_a_gap_that_is_overlooked_is_found_by_the_witness(
    open_feed: Any, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_take = Synchronizer.take

    def careless(self: Synchronizer, diff: Any) -> Any:
        if self.book is not None and diff.first > self.book.update_id + 1:
            self.book.update_id = diff.first - 1
        self._tickers.clear()
        return true_take(self, diff)

    monkeypatch.setattr(Synchronizer, "take", careless)
    async with open_feed() as feed:
        await feed.watch(5)
        await order(feed, "gap,count=5")
        with pytest.raises(AssertionError, match="a wrong book"):
            await feed.watch(20)


async def test_a_gap_that_is_overlooked_is_found_by_the_venues_own_word(
    open_feed: Any, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_take = Synchronizer.take

    def careless(self: Synchronizer, diff: Any) -> Any:
        if self.book is not None and diff.first > self.book.update_id + 1:
            self.book.update_id = diff.first - 1
        return true_take(self, diff)

    monkeypatch.setattr(Synchronizer, "take", careless)
    async with open_feed() as feed:
        await feed.watch(5)
        await order(feed, "gap,count=20")
        for _ in range(20):
            try:
                await feed.watch(1)
            except AssertionError:
                continue
        assert feed.metrics.feed_resyncs["different"] + feed.metrics.feed_resyncs["crossed"] >= 1
        feed.assert_in_step()
        feed.check()
