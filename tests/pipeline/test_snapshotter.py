"""Snapshots are taken one at a time, when something changed, and a failure harms nothing."""

from collections.abc import Callable

import pytest
import trio

from tradeclear.model.commands import PlaceOrder
from tradeclear.pipeline.snapshotter import SnapshotInfo, Snapshotter
from tradeclear.wal.errors import LogFailed, SnapshotFailed


class Store:
    """Makes snapshots that take a second of the mock clock; fails where it is told to."""

    def __init__(self) -> None:
        self.made: list[int] = []
        self.fail_next = False
        self.running = 0

    async def make(self, seq: int) -> SnapshotInfo:
        self.running += 1
        assert self.running == 1
        await trio.sleep(1)
        self.running -= 1
        if self.fail_next:
            self.fail_next = False
            raise SnapshotFailed("disk full")
        self.made.append(seq)
        return SnapshotInfo(seq, f"snapshot-{seq}", 1, 1.0, "00", "2026-01-01T00:00:00.000000Z")

    async def list(self) -> list[SnapshotInfo]:
        await trio.lowlevel.checkpoint()
        return []


async def nothing() -> None:
    await trio.lowlevel.checkpoint()


def snapshotter(rig, store: Store) -> Snapshotter:
    return Snapshotter(
        partition=rig.partition,
        store=store,
        interval_s=60,
        last_seq=0,
        metrics=rig.metrics,
        after=nothing,
    )


def place(order_id: str) -> PlaceOrder:
    return PlaceOrder(order_id, "c", "BTC-USD", "buy", "limit", 100, 1)


async def test_one_is_taken_each_interval_if_something_changed(
    rig,
    autojump_clock: Callable[[], None],
) -> None:
    store = Store()
    async with rig.running(), trio.open_nursery() as nursery:
        await rig.submit(place("a"))
        taker = snapshotter(rig, store)
        nursery.start_soon(taker.run)
        await trio.sleep(200)
        assert store.made == [2]
        nursery.cancel_scope.cancel()


async def test_two_at_once_are_taken_one_after_the_other(rig, autojump_clock) -> None:
    store = Store()
    async with rig.running():
        taker = snapshotter(rig, store)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(taker.take)
            nursery.start_soon(taker.take)
    assert store.made == [1, 1]
    assert rig.metrics.snapshots == 2


async def test_a_failure_is_told_and_the_next_interval_tries_again(rig, autojump_clock) -> None:
    store = Store()
    async with rig.running(), trio.open_nursery() as nursery:
        taker = snapshotter(rig, store)
        store.fail_next = True
        with pytest.raises(SnapshotFailed):
            await taker.take()
        assert taker.state == "the last one failed"
        store.fail_next = True
        nursery.start_soon(taker.run)
        await trio.sleep(130)
        assert store.made == [1]
        assert taker.state == "idle"
        nursery.cancel_scope.cancel()


async def test_a_failure_of_the_log_ends_the_task_whoever_asked(rig, autojump_clock) -> None:
    async def failing() -> None:
        await trio.lowlevel.checkpoint()
        raise LogFailed("Input/output error")

    async with rig.running():
        taker = Snapshotter(
            partition=rig.partition,
            store=Store(),
            interval_s=60,
            last_seq=0,
            metrics=rig.metrics,
            after=failing,
        )
        with pytest.raises(LogFailed):
            await taker.take()
        with pytest.raises(LogFailed):
            await taker.run()
