"""The rule: Redis shows one whole state after another, whatever becomes of Redis meanwhile."""

import random
from contextlib import aclosing

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tradeclear.mirror.connection import Connection, RedisUnavailable, session
from tradeclear.pipeline.book_image import BookImage
from tradeclear.testing.redis_server import RedisServer

from .conftest import Mirrored, image

BIDS, ASKS, SEQUENCE = (f"tradeclear:BTC-USD:{name}" for name in ("bids", "asks", "sequence"))


async def test_what_redis_cli_shows(mirrored: Mirrored) -> None:
    mirrored.venue.set(image(None, ["103225.25 0.5", "103225 0.5"], ["103226 1"]))
    mirrored.own.set(image(7, ["100.5 0.25 2", "99 0.25 1"], ["101 1 1"]))
    await mirrored.until(SEQUENCE, "7")
    ask = mirrored.redis.ask
    assert (await ask("ZRANGE", BIDS, "0", "9", "WITHSCORES")).split() == [
        *("100.5:0.25:2", "-100.5"),
        *("99:0.25:1", "-99"),
    ]
    assert (await ask("ZRANGE", "bids", "0", "9", "WITHSCORES")).split() == [
        *("103225.25:0.5", "-103225.25"),
        *("103225:0.5", "-103225"),
    ]
    assert await mirrored.zset("asks") == ["103226:1"]


async def test_two_levels_of_equal_quantity_are_both_there(mirrored: Mirrored) -> None:
    mirrored.own.set(image(1, ["100 5 1", "99 5 1", "98 5 1"], []))
    await mirrored.until(SEQUENCE, "1")
    assert await mirrored.zset(BIDS) == ["100:5:1", "99:5:1", "98:5:1"]


def consistent(sequence: int) -> BookImage:
    """A book that can be told from any mixture: all its numbers follow from the sequence."""
    rng = random.Random(sequence)
    bids = sorted(rng.sample(range(100, 200), 20), reverse=True)
    asks = sorted(rng.sample(range(200, 300), 20))
    return image(
        sequence,
        [f"{price} {sequence} 1" for price in bids],
        [f"{price} {sequence} 1" for price in asks],
    )


async def test_a_reader_never_sees_half_an_update(mirrored: Mirrored) -> None:
    mirrored.own.set(consistent(1))
    await mirrored.until(SEQUENCE, "1")
    seen: set[int] = set()

    async def read(redis: Connection) -> None:
        while len(seen) < 100:
            bids, asks, sequence = await redis.transaction(
                [("ZRANGE", BIDS, 0, -1), ("ZRANGE", ASKS, 0, -1), ("GET", SEQUENCE)]
            )
            expected = consistent(int(sequence))
            texts = [f"{one.price}:{one.quantity}:1".encode() for one in expected.bids]
            assert bids == texts
            assert asks == [f"{one.price}:{one.quantity}:1".encode() for one in expected.asks]
            seen.add(int(sequence))

    async def change() -> None:
        sequence = 1
        while True:
            sequence += 1
            mirrored.own.set(consistent(sequence))
            await trio.lowlevel.checkpoint()

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(change)
            await session(mirrored.redis.url, 5.0, read)
            nursery.cancel_scope.cancel()


async def test_what_came_while_a_write_was_under_way_comes_as_one(mirrored: Mirrored) -> None:
    mirrored.own.set(consistent(1))
    await mirrored.until(SEQUENCE, "1")
    writes = mirrored.metrics.mirror_write_s.count
    for sequence in range(2, 1002):
        mirrored.own.set(consistent(sequence))
    await mirrored.until(SEQUENCE, "1001")
    assert mirrored.metrics.mirror_write_s.count - writes < 100


async def test_each_update_is_published_after_it_can_be_read(mirrored: Mirrored) -> None:
    mirrored.own.set(consistent(1))
    await mirrored.until(SEQUENCE, "1")
    channel = "tradeclear:BTC-USD:depth"

    async def listen(redis: Connection) -> None:
        await redis.subscribe([channel])
        await redis.transaction([("PING",)])
        async with aclosing(redis.messages()) as messages:
            heard, text = await anext(messages)
        [sequence] = await redis.transaction([("GET", SEQUENCE)])
        assert (heard, sequence) == (channel, b"2")
        assert text == (
            b'{"bids":[[100,1],[99,1],[98,1],[97,1],[96,1],[95,1],[94,1],[93,1],[92,1],[91,1]],'
            b'"asks":[]}'
        )

    async with trio.open_nursery() as nursery:
        nursery.start_soon(session, mirrored.redis.url, 5.0, listen)
        await mirrored.until_true(lambda: _subscribers(mirrored.redis, channel))
        mirrored.own.set(image(2, [f"{100 - n} 1 1" for n in range(12)], []))


async def _subscribers(redis: RedisServer, channel: str) -> bool:
    return (await redis.ask("PUBSUB", "NUMSUB", channel)).split() == [channel, "1"]


async def test_a_redis_that_was_started_again_empty_gets_everything(mirrored: Mirrored) -> None:
    mirrored.own.set(consistent(1))
    await mirrored.until(SEQUENCE, "1")
    await mirrored.redis.kill()
    await mirrored.until_state("down: ")
    mirrored.own.set(consistent(2))
    await mirrored.redis.start()
    await mirrored.until(SEQUENCE, "2")
    assert await mirrored.zset(BIDS) == [f"{one.price}:2:1" for one in consistent(2).bids]
    await mirrored.until_state("current")


async def test_a_hung_redis_is_given_up_and_gets_everything_when_it_is_back(
    mirrored: Mirrored,
) -> None:
    mirrored.own.set(consistent(1))
    await mirrored.until(SEQUENCE, "1")
    mirrored.redis.pause()
    mirrored.own.set(consistent(2))
    await mirrored.until_state("down: no answer within")
    await mirrored.until_state("down: no connection within")
    mirrored.own.set(consistent(3))
    mirrored.redis.go_on()
    await mirrored.until(SEQUENCE, "3")
    assert await mirrored.zset(ASKS) == [f"{one.price}:3:1" for one in consistent(3).asks]


async def test_an_erased_redis_gets_everything_again(mirrored: Mirrored) -> None:
    mirrored.own.set(consistent(1))
    await mirrored.until(SEQUENCE, "1")
    await mirrored.redis.ask("FLUSHALL")
    mirrored.own.set(consistent(2))
    await mirrored.until(SEQUENCE, "2")
    expected = [f"{one.price}:2:1" for one in consistent(2).bids]

    async def restored() -> bool:
        return await mirrored.zset(BIDS) == expected

    await mirrored.until_true(restored)


async def test_keys_of_another_kind_in_the_way_are_replaced(
    redis: RedisServer, nursery: trio.Nursery
) -> None:
    await redis.ask("SET", BIDS, "what is this?")
    mirrored = Mirrored(redis)
    mirrored.own.set(consistent(1))
    nursery.start_soon(mirrored.mirror.run)
    await mirrored.until(SEQUENCE, "1")
    assert len(await mirrored.zset(BIDS)) == 20
    nursery.cancel_scope.cancel()


async def test_a_second_exchange_on_one_database_is_named(mirrored: Mirrored) -> None:
    mirrored.own.set(consistent(1))
    await mirrored.until(SEQUENCE, "1")
    await mirrored.redis.ask("SET", "tradeclear:mirror", "somebody else")
    await mirrored.until_state("down: another exchange writes into this Redis")


async def test_a_redis_that_refuses_is_told_of_in_its_own_words(
    redis: RedisServer, nursery: trio.Nursery
) -> None:
    await redis.ask("CONFIG", "SET", "requirepass", "secret")
    mirrored = Mirrored(redis)
    nursery.start_soon(mirrored.mirror.run)
    await mirrored.until_state("down: ")
    assert "already authenticated" in mirrored.mirror.state
    nursery.cancel_scope.cancel()


async def test_an_unchanged_book_stays_confirmed(mirrored: Mirrored) -> None:
    mirrored.own.set(consistent(1))
    await mirrored.until(SEQUENCE, "1")
    await mirrored.redis.ask("PEXPIRE", "tradeclear:BTC-USD:confirmed", "1000000")

    async def confirmed() -> bool:
        return int(await mirrored.redis.ask("PTTL", "tradeclear:BTC-USD:confirmed")) > 1_000_000

    await mirrored.until_true(confirmed)


async def test_the_last_state_is_there_when_it_has_finished(mirrored: Mirrored) -> None:
    mirrored.own.set(consistent(1))
    await mirrored.until(SEQUENCE, "1")
    mirrored.own.set(consistent(2))
    with trio.fail_after(10):
        await mirrored.mirror.finish()
    assert await mirrored.redis.ask("GET", SEQUENCE) == "2"


async def test_what_came_during_the_last_write_is_there_too(mirrored: Mirrored) -> None:
    mirrored.own.set(consistent(1))
    await mirrored.until(SEQUENCE, "1")
    mirrored.own.let = trio.Event()
    mirrored.own.set(consistent(2))
    await wait_all_tasks_blocked(0.01)
    mirrored.own.set(consistent(3))
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mirrored.mirror.finish)
            await wait_all_tasks_blocked()
            mirrored.own.let.set()
    assert await mirrored.redis.ask("GET", SEQUENCE) == "3"


async def test_without_redis_it_finishes_at_once(redis: RedisServer, nursery: trio.Nursery) -> None:
    await redis.kill()
    mirrored = Mirrored(redis)
    nursery.start_soon(mirrored.mirror.run)
    await mirrored.until_state("down: ")
    with trio.fail_after(10):
        await mirrored.mirror.finish()
    nursery.cancel_scope.cancel()
    await redis.start()


async def test_a_book_of_which_nothing_is_known_is_not_touched(mirrored: Mirrored) -> None:
    mirrored.own.set(consistent(1))
    await mirrored.until(SEQUENCE, "1")
    assert await mirrored.redis.ask("EXISTS", "bids", "depth:confirmed") == "0"


async def test_a_transaction_that_redis_refuses_says_why(redis: RedisServer) -> None:
    async def use(connection: Connection) -> None:
        await connection.transaction([("ZADD", "z", "not a number", "m")])

    with pytest.raises(RedisUnavailable, match="not a valid float"):
        await session(redis.url, 5.0, use)

    async def use_nonsense(connection: Connection) -> None:
        await connection.transaction([("NONSENSE",)])

    with pytest.raises(RedisUnavailable, match="unknown command"):
        await session(redis.url, 5.0, use_nonsense)


async def test_a_subscription_that_redis_refuses_is_not_taken_for_something_else(
    redis: RedisServer,
) -> None:
    await redis.ask("ACL", "SETUSER", "default", "resetchannels")

    async def use(connection: Connection) -> None:
        await connection.subscribe(["a"])
        await connection.transaction([("GET", "b")])

    with pytest.raises(RedisUnavailable, match="no permissions"):
        await session(redis.url, 5.0, use)


async def test_parameters_that_are_not_understood_are_told_of_without_the_url() -> None:
    async def use(_connection: Connection) -> None:
        raise AssertionError("connected")

    with pytest.raises(RedisUnavailable, match="parameters that are not understood"):
        await session("redis://:hunter2@127.0.0.1:1?db=hunter2", 5.0, use)


async def test_a_password_may_have_any_character(redis: RedisServer) -> None:
    await redis.ask("CONFIG", "SET", "requirepass", "p/w@:#%")

    async def use(connection: Connection) -> None:
        await connection.transaction([("SET", "a", "b")])

    await session(f"unix://:p%2Fw%40%3A%23%25@{redis.socket}", 5.0, use)
