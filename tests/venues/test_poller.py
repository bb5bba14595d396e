"""A poll is tried four times with growing waits; refusals are heeded; the next comes on time."""

from typing import Any

import trio

from tradeclear.telemetry.metrics import Metrics
from tradeclear.venues.errors import VenueBusy, VenueRefused, VenueUnavailable
from tradeclear.venues.market import Market
from tradeclear.venues.messages import Snapshot
from tradeclear.venues.poller import Poller


class Script:
    """Answers as written; a number is a snapshot."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[float, int]] = []

    async def depth(self, levels: int) -> Snapshot:
        self.asked.append((trio.current_time(), levels))
        await trio.sleep(0.1)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Snapshot(answer, ((1, 1),), ((2, 1),))


def poller(script: Script) -> tuple[Poller, Market, Metrics]:
    market, metrics = Market("BTCUSDT", stale_after_s=5), Metrics()
    return Poller(script, market, interval_s=2, metrics=metrics), market, metrics


def times(script: Script) -> list[float]:
    return [round(at - script.asked[0][0], 3) for at, _ in script.asked]


async def test_at_start_and_every_two_seconds_twenty_levels(autojump_clock: Any) -> None:
    script = Script(1, 2, 3)
    one, market, metrics = poller(script)
    with trio.move_on_after(5):
        await one.run()
    assert times(script) == [0, 2, 4]
    assert [levels for _, levels in script.asked] == [20, 20, 20]
    reading = market.reading()
    assert reading is not None
    assert reading.update_id == 3
    assert metrics.feed_polls == {"answered": 3}


async def test_three_retries_with_growing_waits(autojump_clock: Any) -> None:
    script = Script(*(VenueUnavailable("no"),) * 3, 7)
    one, market, metrics = poller(script)
    assert await one.poll()
    assert times(script) == [0, 0.35, 0.95, 2.05]
    assert metrics.feed_polls == {"failed": 3, "answered": 1}
    reading = market.reading()
    assert reading is not None
    assert reading.update_id == 7


async def test_after_that_it_gives_up_until_the_next_time(autojump_clock: Any) -> None:
    script = Script(*(VenueUnavailable("no"),) * 4, 7)
    one, market, _ = poller(script)
    assert not await one.poll()
    assert market.reading() is None
    assert len(script.asked) == 4


async def test_who_asks_for_quiet_or_says_no_is_not_asked_again_at_once(
    autojump_clock: Any,
) -> None:
    for answer in (VenueBusy("429", 5), VenueRefused("no such symbol")):
        script = Script(answer)
        one, _, _ = poller(script)
        assert not await one.poll()
        assert len(script.asked) == 1
