"""The rule: each message once to everyone who is subscribed, in one piece a commit, and no gap."""

import json
from typing import Any

import pytest
import trio

from tradeclear.gateway.streams import streams as module
from tradeclear.gateway.streams.topic import Topic
from tradeclear.model.events import Record

DELTAS = Topic("orderbook_deltas", "BTC-USD")
TRADES = Topic("trades", "BTC-USD")
ETH = Topic("orderbook_deltas", "ETH-USD")
FAST = Topic("orderbook_deltas", "BTC-USD", "", 50)


def nothing(_records: list[Record], _seq: int) -> None:
    pass


async def join(house: Any, ear: Any, *topics: Topic, position: int | None = None) -> int:
    """Subscribe; the sequence with which it begins."""
    begun: list[int] = []
    if ear not in house.streams._connections:
        assert house.streams.enter(ear)
    assert await house.streams.join(
        ear,
        lambda: topics,
        house.engine.seq if position is None else position,
        lambda _records, seq: begun.append(seq),
    )
    return begun[0]


def sequences(ear: Any) -> list[int]:
    return [message["sequence"] for message in ear.told]


async def test_everyone_is_given_the_same_bytes(house: Any, make_ear: Any, until: Any) -> None:
    ears = [make_ear() for _ in range(3)]
    for ear in ears:
        await join(house, ear, DELTAS)
    await house.place("1", 100)
    await until(lambda: all(ear.pieces for ear in ears))
    assert ears[0].pieces[0] is ears[1].pieces[0] is ears[2].pieces[0]


async def test_a_commit_goes_out_in_one_piece(house: Any, ear: Any, until: Any) -> None:
    await join(house, ear, DELTAS, TRADES)
    async with trio.open_nursery() as nursery:
        for number in range(50):
            side = "sell" if number % 2 else "buy"
            nursery.start_soon(lambda n=number, s=side: house.place(str(n), 100, side=s))
    await until(lambda: len(ear.told) == 75)
    assert len(ear.pieces) < 25
    assert sequences(ear) == sorted(sequences(ear)), "in the order of the commands"


async def test_only_those_who_want_it(house: Any, make_ear: Any, until: Any) -> None:
    bitcoin, ether, both = make_ear(), make_ear(), make_ear()
    await join(house, bitcoin, DELTAS)
    await join(house, ether, ETH)
    await join(house, both, DELTAS)
    await join(house, both, ETH)
    await house.place("1", 100)
    await house.place("2", 100, instrument="ETH-USD", quantity=100)
    await until(lambda: len(both.told) == 2)
    assert [m["instrument"] for m in bitcoin.told] == ["BTC-USD"]
    assert [m["instrument"] for m in ether.told] == ["ETH-USD"]


async def test_after_leaving_nothing_comes(house: Any, make_ear: Any, until: Any) -> None:
    gone, other = make_ear(), make_ear()
    for ear in (gone, other):
        await join(house, ear, DELTAS, TRADES)
    house.streams.leave(gone, [DELTAS])
    await house.place("1", 100)
    await house.place("2", 100, side="sell")
    await until(lambda: len(other.told) == 3)
    assert [message["channel"] for message in gone.told] == ["trades"]
    house.streams.exit(gone)
    house.streams.exit(other)
    assert (house.streams.connections, house.streams.subscriptions) == (0, 0)
    assert (house.streams._by_topic, house.streams._audiences) == ({}, {})


async def test_who_joins_is_told_what_it_missed(house: Any, make_ear: Any, until: Any) -> None:
    first, late = make_ear(), make_ear()
    start = await join(house, first, DELTAS)
    last = 0
    for number in range(3):
        last = await house.place(str(number), 100)
    await until(lambda: len(first.told) == 3)
    assert house.streams.enter(late)
    missed: list[Any] = []
    joined = await house.streams.join(
        late, lambda: [DELTAS], start + 1, lambda records, seq: missed.append((records, seq))
    )
    assert joined
    ((records, seq),) = missed
    assert ([record.seq for record in records], seq) == ([last - 1, last], last)
    await house.place("more", 100)
    await until(lambda: bool(late.pieces))
    assert sequences(late) == [last + 1]


async def test_too_far_back_to_join(house: Any, ear: Any) -> None:
    position = house.engine.seq - 1
    assert house.streams.enter(ear)
    assert not await house.streams.join(ear, lambda: [DELTAS], position, nothing)


async def test_it_waits_for_what_is_not_handed_out_yet(house: Any, ear: Any, until: Any) -> None:
    assert house.streams.enter(ear)
    begun: list[int] = []
    position = house.engine.seq + 1
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            await house.streams.join(
                ear, lambda: [DELTAS], position, lambda _records, seq: begun.append(seq)
            )

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert begun == []
        await house.place("1", 100)
    assert begun == [position]


async def test_one_that_fails_is_left_out(
    house: Any, make_ear: Any, until: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, well = make_ear(), make_ear()

    def fail(_data: bytes) -> None:
        raise RuntimeError("planted")

    broken.deliver = fail
    await join(house, broken, DELTAS)
    await join(house, well, DELTAS)
    for number in range(2):
        await house.place(str(number), 100)
    await until(lambda: len(well.told) == 2)
    assert house.streams.connections == 1
    assert "planted" in "".join(capsys.readouterr())


async def test_conflated_depth(house: Any, make_ear: Any, until: Any) -> None:
    slow, quick = make_ear(), make_ear()
    start = await join(house, slow, FAST, TRADES)
    await join(house, quick, DELTAS)
    last = 0
    for number in range(20):
        last = await house.place(str(number), 100)
    await until(lambda: bool(slow.told) and slow.told[-1]["sequence"] == last)
    told = slow.told
    assert len(told) < len(quick.told) == 20
    assert told[0]["previous_sequence"] == start
    assert [m["previous_sequence"] for m in told[1:]] == [m["sequence"] for m in told[:-1]]
    assert told[-1]["bids"] == [[1, 0.0002, 20]]


async def test_the_log_is_followed_only_while_somebody_listens(house: Any, ear: Any) -> None:
    publisher = house.partition.publisher
    assert not publisher._subscriptions
    await join(house, ear, DELTAS)
    assert len(publisher._subscriptions) == 1
    house.streams.exit(ear)
    await house.place("1", 100)
    await trio.testing.wait_all_tasks_blocked(0.02)
    assert not publisher._subscriptions


async def test_when_it_falls_behind_everyone_is_told_to_come_again(
    open_house: Any, ear: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECORDS_WAITING_MAX", 3)
    async with open_house() as house:
        await join(house, ear, DELTAS)
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(house.place, str(number), 100)
        await until(lambda: ear.dismissed is not None)
        assert ear.dismissed[0] == 1013
        house.streams.exit(ear)


async def test_too_many_connections(open_house: Any, make_ear: Any) -> None:
    async with open_house(connections_max=2) as house:
        ears = [make_ear() for _ in range(3)]
        assert [house.streams.enter(ear) for ear in ears] == [True, True, False]
        house.streams.exit(ears[0])
        assert house.streams.enter(ears[2])


async def test_the_end_is_told(house: Any, ear: Any, make_ear: Any) -> None:
    await join(house, ear, DELTAS)
    house.streams.close()
    assert ear.dismissed == (1001, "the exchange is shutting down")
    assert not house.streams.enter(make_ear())


async def test_what_is_counted(house: Any, make_ear: Any, until: Any) -> None:
    ears = [make_ear(), make_ear()]
    for ear in ears:
        await join(house, ear, DELTAS)
    await house.place("1", 100)
    await until(lambda: all(ear.pieces for ear in ears))
    await trio.testing.wait_all_tasks_blocked(0.02)
    assert house.metrics.stream_messages == 2
    assert house.metrics.stream_bytes == sum(len(piece) for ear in ears for piece in ear.pieces)
    assert json.loads(ears[0].pieces[0])["type"] == "update"
