"""The rule: what waits for a carrier is bounded; who lets more wait is told, and hears no more."""

from typing import Any

import pytest
import trio

from tradeclear.gateway.streams.message import lines
from tradeclear.gateway.streams.outlet import Outlet
from tradeclear.gateway.streams.subscriber import BACKLOG_BYTES_MAX


@pytest.fixture
def outlet(house: Any) -> Outlet:
    made = Outlet(house.streams, lines)
    assert house.streams.enter(made)
    return made


async def test_everything_that_waits_is_taken_at_once(outlet: Outlet) -> None:
    outlet.deliver(b"1")
    outlet.deliver(b"2")
    assert await outlet.take() == b"12"


async def test_too_much_waits(outlet: Outlet, house: Any) -> None:
    piece = b"x" * 1_000
    for _ in range(200):
        outlet.deliver(piece)
        assert outlet._waiting_bytes <= BACKLOG_BYTES_MAX + len(piece)
    assert outlet.farewell is not None
    assert outlet.farewell[0] == 4008
    assert (house.metrics.stream_cut_off, house.streams.connections) == (1, 0)
    assert await outlet.take() == b""


async def test_a_large_piece_is_no_crime(outlet: Outlet) -> None:
    outlet.deliver(b"x" * 1_000_000)
    assert len(await outlet.take()) == 1_000_000
    assert outlet.farewell is None


async def test_what_waits_goes_before_the_farewell(outlet: Outlet) -> None:
    outlet.deliver(b"1")
    outlet.dismiss(1001, "done")
    outlet.deliver(b"2")
    assert await outlet.take() == b"1"
    assert await outlet.take() == b""
    assert outlet.farewell == (1001, "done")


async def test_there_is_room_when_the_carrier_comes_again(outlet: Outlet) -> None:
    done: list[int] = []

    async def wait() -> None:
        await outlet.wait_room()
        done.append(1)

    outlet.deliver(b"1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await outlet.take()
        await trio.testing.wait_all_tasks_blocked()
        assert not done, "it is being sent"
        nursery.start_soon(outlet.take)
        await trio.testing.wait_all_tasks_blocked()
        assert done
        nursery.cancel_scope.cancel()
