"""A follower that can't keep up is cut off, told where, and nobody else notices."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tradeclear.model.commands import CancelOrder
from tradeclear.model.events import Record
from tradeclear.pipeline.publisher import Publisher, SlowConsumer


def records(first: int, last: int) -> list[Record]:
    return [Record(seq, 0, CancelOrder("x"), ()) for seq in range(first, last + 1)]


async def test_a_subscription_gets_every_record_from_its_beginning_on() -> None:
    publisher = Publisher(last_seq=10)
    publisher.publish(records(11, 12))
    with publisher.subscribe(records_max=10) as subscription:
        publisher.publish(records(13, 14))
        publisher.publish(records(15, 15))
        assert [record.seq for record in await subscription.take()] == [13, 14, 15]
        assert subscription.last_seq == 15


async def test_taking_waits_for_the_next_record() -> None:
    publisher = Publisher(last_seq=0)
    with publisher.subscribe(records_max=10) as subscription:
        async with trio.open_nursery() as nursery:

            async def take() -> None:
                assert [record.seq for record in await subscription.take()] == [1]

            nursery.start_soon(take)
            await wait_all_tasks_blocked()
            publisher.publish(records(1, 1))


async def test_a_slow_consumer_is_cut_off_and_told_where() -> None:
    publisher = Publisher(last_seq=0)
    with publisher.subscribe(records_max=3) as slow, publisher.subscribe(records_max=9) as other:
        publisher.publish(records(1, 2))
        await slow.take()
        publisher.publish(records(3, 5))
        publisher.publish(records(6, 6))
        with pytest.raises(SlowConsumer) as caught:
            await slow.take()
        assert caught.value.last_seq == 2
        assert [record.seq for record in await other.take()] == [1, 2, 3, 4, 5, 6]


def test_an_ended_subscription_is_forgotten() -> None:
    publisher = Publisher(last_seq=0)
    with publisher.subscribe(records_max=1) as subscription:
        pass
    publisher.publish(records(1, 1))
    assert subscription.last_seq == 0


async def test_after_the_last_record_a_subscription_ends() -> None:
    publisher = Publisher(last_seq=0)
    with publisher.subscribe(records_max=10) as subscription:
        publisher.publish(records(1, 2))
        publisher.close()
        assert [record.seq for record in await subscription.take()] == [1, 2]
        assert await subscription.take() == []
