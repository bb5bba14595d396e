"""The rule: a delivery is a write where nothing waits, and orders never wait for many of them."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
import trio

from tradeclear.gateway.streams import fan_out
from tradeclear.gateway.streams.fan_out import Piece, hand_out, tell
from tradeclear.gateway.streams.subscriber import NOT_READY, Subscriber


class Tap:
    """A subscriber with a socket, that keeps what is left for it to deliver."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.theirs.setblocking(False)
        self.ready_descriptor = self.ours.fileno()
        self.left: list[bytes] = []

    def deliver(self, data: bytes | memoryview) -> None:
        self.left.append(bytes(data))

    def fill(self) -> None:
        """Until the kernel takes no more."""
        with suppress(BlockingIOError):
            while True:
                self.ours.send(b"x" * 65_536)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def taps() -> Iterator[list[Any]]:
    made = [Tap() for _ in range(3)]
    yield made
    for tap in made:
        tap.close()


def never(subscriber: Subscriber, error: Exception) -> None:
    raise AssertionError(f"{subscriber}: {error!r}")


def test_where_nothing_waits_it_is_written(taps: list[Any]) -> None:
    tell(b"news", taps, never)
    assert [tap.theirs.recv(100) for tap in taps] == [b"news"] * 3
    assert [tap.left for tap in taps] == [[], [], []]


def test_where_something_waits_nothing_is_tried(taps: list[Any]) -> None:
    taps[1].ready_descriptor = NOT_READY
    tell(b"news", taps, never)
    assert [tap.left for tap in taps] == [[], [b"news"], []]
    with pytest.raises(BlockingIOError):
        taps[1].theirs.recv(100)


def test_no_room(taps: list[Any]) -> None:
    taps[1].fill()
    tell(b"news", taps, never)
    assert [tap.left for tap in taps] == [[], [b"news"], []]


def test_room_for_a_part(taps: list[Any]) -> None:
    """What was taken and what is left are the whole, each byte once."""
    data = bytes(range(256)) * 16_384
    tell(data, taps, never)
    for tap in taps:
        taken = b""
        with suppress(BlockingIOError):
            while True:
                taken += tap.theirs.recv(1 << 20)
        assert 0 < len(taken) < len(data)
        assert taken + tap.left[0] == data


def test_who_is_gone(taps: list[Any]) -> None:
    taps[1].theirs.close()
    tell(b"news", taps, never)
    assert [tap.left for tap in taps] == [[], [b"news"], []]


def test_a_fault_of_ours_meets_one(taps: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(data: object) -> None:
        raise RuntimeError("a fault")

    taps[0].ready_descriptor = NOT_READY
    monkeypatch.setattr(taps[0], "deliver", fail)
    met: list[tuple[Any, str]] = []
    tell(b"news", taps, lambda who, error: met.append((who, str(error))))
    assert met == [(taps[0], "a fault")]
    assert taps[2].theirs.recv(100) == b"news"


@pytest.fixture
def slow_writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every look at the clock is a turn later; the descriptors that were written to."""
    written: list[int] = []
    seconds = iter(range(1_000_000))

    def write(descriptor: int, data: bytes) -> int:
        written.append(descriptor)
        return len(data)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(fan_out, "perf_counter", lambda: next(seconds))
    return written


class Crowd:
    """One of very many."""

    ready_descriptor = 7


async def test_others_get_their_turn(slow_writes: list[int]) -> None:
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(len(slow_writes))
            await trio.lowlevel.checkpoint()

    piece = Piece(b"news", 1, [Crowd()] * 1_000)  # type: ignore[list-item]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await trio.lowlevel.checkpoint()
        await hand_out([piece, piece], never, lambda: 0)
        nursery.cancel_scope.cancel()
    assert len(slow_writes) == 2_000
    between = [after - before for before, after in pairwise(turns)]
    assert max(between) <= 2 * fan_out.TURN_DELIVERIES


async def test_an_order_goes_all_its_way(slow_writes: list[int]) -> None:
    """From being matched to its answer it waits for one turn of deliveries, not for three."""
    newest = 0
    answered: list[int] = []

    async def order() -> None:
        nonlocal newest
        while not slow_writes:
            await trio.lowlevel.checkpoint()
        newest += 1
        matched = len(slow_writes)
        for _ in range(fan_out.ORDER_TURNS):
            await trio.lowlevel.checkpoint()
        answered.append(len(slow_writes) - matched)

    piece = Piece(b"news", 1, [Crowd()] * 1_000)  # type: ignore[list-item]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(order)
        await hand_out([piece], never, lambda: newest)
    assert answered[0] <= fan_out.TURN_DELIVERIES
