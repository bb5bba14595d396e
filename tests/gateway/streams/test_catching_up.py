"""The rule: from a snapshot or a place in the log to now, nothing missing and nothing twice."""

from typing import Any

import pytest
import trio

from tradeclear.gateway.streams import streams as streams_module
from tradeclear.gateway.streams.catching_up import CatchingUp, Start
from tradeclear.gateway.streams.topic import Topic
from tradeclear.pipeline import backlog as backlog_module

DELTAS = Topic("orderbook_deltas", "BTC-USD")
TRADES = Topic("trades", "BTC-USD")
ORDERS = Topic("orders", "BTC-USD", "A")
FAST = Topic("orderbook_deltas", "BTC-USD", "", 100)


def start(*topics: Topic, since: int | None = None) -> Start:
    asked = tuple(dict.fromkeys(topic.channel for topic in topics))
    return Start(topics=list(topics), asked=asked, from_sequence=since, id=7)


async def catch_up(house: Any, ear: Any, begun: Start) -> None:
    if ear not in house.streams._connections:
        assert house.streams.enter(ear)
    with trio.fail_after(10):
        await CatchingUp(house.streams, ear, begun).run()


def kinds(ear: Any) -> list[str]:
    return [message["type"] for message in ear.told]


def chained(ear: Any, position: int) -> list[int]:
    """The sequences of depth updates, each of which follows the one before."""
    found = []
    for message in ear.told:
        if message["type"] == "live":
            position = max(position, message["sequence"])
        elif message["type"] == "update":
            assert message["previous_sequence"] <= position < message["sequence"]
            position = message["sequence"]
            found.append(position)
    return found


async def test_from_a_snapshot(house: Any, ear: Any) -> None:
    await house.place("1", 100)
    last = await house.place("2", 101)
    await catch_up(house, ear, start(DELTAS, TRADES, ORDERS))
    subscribed, book, orders, live = ear.told
    assert subscribed == {
        "type": "subscribed",
        "id": 7,
        "channels": ["orderbook_deltas", "trades", "orders"],
        "instrument": "BTC-USD",
        "client_id": "A",
        "sequence": last,
        "resume": "none",
    }
    assert (book["channel"], book["sequence"], len(book["bids"])) == ("orderbook_deltas", last, 2)
    assert (orders["channel"], len(orders["orders"])) == ("orders", 2)
    assert (live["type"], live["sequence"]) == ("live", last)


@pytest.mark.parametrize("page", [1, 3, 256])
@pytest.mark.parametrize("recent", [1, 2048])
async def test_from_the_log(
    open_house: Any, ear: Any, monkeypatch: pytest.MonkeyPatch, page: int, recent: int
) -> None:
    monkeypatch.setattr(backlog_module, "PAGE_RECORDS_MAX", page)
    monkeypatch.setattr(streams_module, "RECENT_MAX", recent)
    async with open_house() as house:
        for number in range(10):
            await house.place(str(number), 100)
        await catch_up(house, ear, start(DELTAS, since=4))
        assert ear.told[0]["resume"] == "replayed"
        assert ear.told[0]["sequence"] == 4
        assert kinds(ear) == ["subscribed", *["update"] * 7, "live"]
        assert chained(ear, 4) == [5, 6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize("topic", [DELTAS, FAST])
@pytest.mark.parametrize("since", [None, 1])
async def test_while_orders_come(
    house: Any, ear: Any, book: Any, until: Any, topic: Topic, since: int | None
) -> None:
    for number in range(300):
        await house.place(f"before-{number}", 100 + number % 7)
    last = 0

    async def trade() -> None:
        nonlocal last
        for number in range(600):
            side = "sell" if number % 3 else "buy"
            last = await house.place(f"{number}", 100 + number % 7, side=side)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trade)
        await catch_up(house, ear, start(topic, since=since))
    await until(lambda: ear.told[-1]["sequence"] == last)
    for message in ear.told:
        book.take(message)
    assert book.gaps == 0
    chained(ear, ear.told[0]["sequence"])
    found = {
        (side, level.price / 100): (level.quantity / 100_000, len(level.queue))
        for side, ladder in (
            ("bids", house.engine.books["BTC-USD"].bids),
            ("asks", house.engine.books["BTC-USD"].asks),
        )
        for level in ladder.best_first()
    }
    assert book.levels == found


async def test_to_the_last_command_there_is_nothing_to_replay(house: Any, ear: Any) -> None:
    last = await house.place("1", 100)
    await catch_up(house, ear, start(DELTAS, since=last))
    assert kinds(ear) == ["subscribed", "live"]
    assert ear.told[0]["resume"] == "replayed"


async def test_ahead_of_the_log(house: Any, ear: Any) -> None:
    last = await house.place("1", 100)
    await catch_up(house, ear, start(DELTAS, since=last + 1))
    assert [message["type"] for message in ear.told] == ["subscribed", "snapshot", "live"]
    assert (ear.told[0]["resume"], ear.told[0]["sequence"]) == ("ahead", last)
    assert house.metrics.stream_resumes == {"ahead": 1}


async def test_further_back_than_allowed(open_house: Any, ear: Any) -> None:
    async with open_house(resume_records_max=2) as house:
        for number in range(5):
            last = await house.place(str(number), 100)
        await catch_up(house, ear, start(DELTAS, since=last - 2))
        assert ear.told[0]["resume"] == "replayed"
        ear.forget()
        await catch_up(house, ear, start(DELTAS, since=last - 3))
        assert ear.told[0]["resume"] == "too_old"
        assert kinds(ear) == ["subscribed", "snapshot", "live"]


async def test_before_the_instrument_was_there_in_these_ticks(house: Any, ear: Any) -> None:
    house.engine.grid_since["BTC-USD"] = 3
    for number in range(3):
        await house.place(str(number), 100)
    await catch_up(house, ear, start(DELTAS, since=1))
    assert ear.told[0]["resume"] == "too_old"


async def test_pruned_meanwhile(house: Any, ear: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tradeclear.wal import RecordPruned

    for number in range(5):
        last = await house.place(str(number), 100)

    def frames(from_seq: int, to_seq: int | None = None) -> Any:
        raise RecordPruned(from_seq, last)

    monkeypatch.setattr(house.log, "frames", frames)
    await catch_up(house, ear, start(DELTAS, since=2))
    assert [m["resume"] for m in ear.told if m["type"] == "subscribed"] == ["replayed", "too_old"]
    assert kinds(ear)[-1] == "live"


async def test_a_subscriber_that_does_not_read_holds_a_page(house: Any, ear: Any) -> None:
    for number in range(600):
        await house.place(str(number), 100)
    ear.stuck = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(catch_up, house, ear, start(DELTAS, since=1))
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert sum(map(len, ear.pieces)) < 20_000
        ear.let_go()
    assert chained(ear, 1) == list(range(2, 602))


async def test_what_is_wanted_no_more_is_not_told(house: Any, ear: Any) -> None:
    for number in range(600):
        await house.place(str(number), 100)
    begun = start(DELTAS, since=1)
    ear.stuck = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(catch_up, house, ear, begun)
        await trio.testing.wait_all_tasks_blocked(0.05)
        told = len(ear.told)
        begun.topics.clear()
        ear.let_go()
    assert len(ear.told) == told
    assert house.streams.subscriptions == 0


async def test_conflated_replay_folds_a_page(house: Any, ear: Any) -> None:
    for number in range(10):
        last = await house.place(str(number), 100)
    await catch_up(house, ear, start(FAST, since=1))
    _subscribed, update, live = ear.told
    assert (update["sequence"], update["previous_sequence"]) == (last, 1)
    assert (update["bids"], live["interval_ms"]) == ([[1, 0.0001, 10]], 100)
