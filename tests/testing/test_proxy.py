"""The rule: the proxy forwards what it is given, until it is ordered to do worse."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tradeclear.testing.proxy import Proxy, open_proxy

MESSAGE = b"ping"


async def echo(stream: trio.SocketStream) -> None:
    try:
        async for data in stream:
            await stream.send_all(data)
        await stream.send_eof()
    except trio.BrokenResourceError:
        pass


@pytest.fixture
def clock() -> MockClock:
    """Bytes on their way through the kernel are not seen: it waits for them before jumping."""
    return MockClock(autojump_threshold=0.02)


@asynccontextmanager
async def echoing() -> AsyncGenerator[Proxy]:
    """A proxy before a server that sends back what it gets."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, echo, 0)
        async with open_proxy("127.0.0.1", listeners[0].socket.getsockname()[1]) as proxy:
            yield proxy
        nursery.cancel_scope.cancel()


async def connect(proxy: Proxy) -> trio.SocketStream:
    return await trio.open_tcp_stream(proxy.host, proxy.port)


async def receive(stream: trio.SocketStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await stream.receive_some()
        assert more, "closed"
        data += more
    return data


async def is_reset(stream: trio.SocketStream) -> bool:
    with trio.fail_after(5):
        try:
            await stream.receive_some()
        except trio.BrokenResourceError:
            return True
    return False


async def test_forwards_both_ways_and_the_end_of_the_stream() -> None:
    async with echoing() as proxy, await connect(proxy) as stream:
        whole = bytes(range(256)) * 1_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, whole)
            assert await receive(stream, len(whole)) == whole
        await stream.send_eof()
        assert await stream.receive_some() == b""
        assert proxy.forwarded_bytes == 2 * len(whole)


async def test_cut_resets_every_connection_and_later_ones_are_served() -> None:
    async with echoing() as proxy, await connect(proxy) as first, await connect(proxy) as second:
        for stream in (first, second):
            await stream.send_all(MESSAGE)
            await receive(stream, len(MESSAGE))
        assert proxy.connections == 2
        proxy.cut()
        assert await is_reset(first)
        assert await is_reset(second)
        async with await connect(proxy) as third:
            await third.send_all(MESSAGE)
            assert await receive(third, len(MESSAGE)) == MESSAGE
        assert proxy.accepted == 3


async def test_refusing_resets_who_connects() -> None:
    async with echoing() as proxy:
        proxy.refusing = True
        async with await connect(proxy) as stream:
            assert await is_reset(stream)
        proxy.heal()
        async with await connect(proxy) as stream:
            await stream.send_all(MESSAGE)
            assert await receive(stream, len(MESSAGE)) == MESSAGE


async def test_a_target_that_is_away_resets_who_connects() -> None:
    with trio.socket.socket() as away:
        await away.bind(("127.0.0.1", 0))  # bound and not listening: nobody can connect
        async with open_proxy(*away.getsockname()) as proxy, await connect(proxy) as stream:
            assert await is_reset(stream)


async def test_silent_takes_everything_and_delivers_nothing(clock: MockClock) -> None:
    async with echoing() as proxy, await connect(proxy) as stream:
        proxy.silent = True
        await stream.send_all(MESSAGE)
        with trio.move_on_after(3600) as waited:
            await stream.receive_some()
        assert waited.cancelled_caught
        assert proxy.swallowed_bytes == len(MESSAGE)
        assert proxy.connections == 1


async def test_a_connection_that_lost_bytes_never_speaks_again(clock: MockClock) -> None:
    """What comes after a gap would be taken for what was lost."""
    async with echoing() as proxy, await connect(proxy) as stream:
        proxy.silent = True
        await stream.send_all(MESSAGE)
        await wait_all_tasks_blocked(0.01)
        proxy.silent = False
        await stream.send_all(MESSAGE)
        with trio.move_on_after(3600) as waited:
            await stream.receive_some()
        assert waited.cancelled_caught
        proxy.heal()
        assert await is_reset(stream)


async def test_delay_is_each_way_and_does_not_limit_the_rate(clock: MockClock) -> None:
    async with echoing() as proxy, await connect(proxy) as stream:
        proxy.delay_s = 30.0
        started = trio.current_time()
        for _ in range(10):
            await stream.send_all(MESSAGE)
            await trio.sleep(1)
        assert await receive(stream, 10 * len(MESSAGE)) == 10 * MESSAGE
        assert trio.current_time() - started == pytest.approx(69, abs=1.5)


async def test_bandwidth_is_limited(clock: MockClock) -> None:
    async with echoing() as proxy, await connect(proxy) as stream:
        proxy.bytes_per_s = 1_000.0
        started = trio.current_time()
        await stream.send_all(bytes(10_000))
        await receive(stream, 10_000)
        taken = trio.current_time() - started
        assert 10 <= taken <= 21
