"""The rule: a descriptor is touched while its connection is the reactor's, and nobody's fault but
its own ends a connection.
"""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import trio

from tradeclear.gateway.door.client import Client
from tradeclear.gateway.door.reactor import EVENTS_MAX

REQUEST = b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
OTHER = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def registered(rig: Any) -> list[int]:
    """The descriptors in the epoll set, as the kernel has them."""
    info = Path(f"/proc/self/fdinfo/{rig.reactor._epoll.fileno()}").read_text()
    return sorted(int(line.split()[1]) for line in info.splitlines() if line.startswith("tfd:"))


async def test_every_connection_is_registered_once_and_forgotten_in_the_end(rig: Any) -> None:
    plugs = [await rig.connect() for _ in range(5)]
    assert registered(rig) == sorted(plug.peer.descriptor for plug in plugs)
    await plugs[0].wire.send(OTHER)
    await plugs[1].wire.stream.aclose()
    plugs[2].scope.cancel()
    rig.reactor.drain()
    for plug in plugs:
        await plug.ended()
    assert registered(rig) == []
    assert len(rig.reactor) == 0


async def test_a_late_reply_never_reaches_the_next_owner_of_a_descriptor(rig: Any) -> None:
    ours, theirs = socket.socketpair()
    first = await rig.connect()
    await first.wire.send(REQUEST)
    await rig.settle()
    number = first.peer.descriptor
    first.scope.cancel()
    await first.ended()
    os.dup2(theirs.fileno(), number)  # somebody else's connection gets the number
    theirs.close()
    try:
        await rig.answer(0)
        first.peer.queue(b"later still")
        first.peer.flush()
        rig.reactor.flush()
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(1)
    finally:
        os.close(number)
        ours.close()


async def test_a_late_reply_never_reaches_the_next_connection(rig: Any) -> None:
    first = await rig.connect()
    await first.wire.send(REQUEST)
    await rig.settle()
    await first.wire.stream.aclose()
    await first.ended()
    second = await rig.connect()
    assert second.peer.descriptor == first.peer.descriptor, "the kernel gives the least number"
    await rig.answer(0)
    await second.wire.send(REQUEST)
    await rig.settle()
    await rig.answer(1)
    assert (await second.wire.reply()).body == b"1"


async def test_a_queued_reply_is_dropped_with_its_connection(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(REQUEST)
    await rig.settle()
    await rig.answer(0, flush=False)
    plug.peer.end()
    rig.reactor.flush()
    await plug.ended()
    assert await plug.wire.ended()


async def test_a_reset_connection_ends_whatever_it_waits_for(rig: Any) -> None:
    """A connection that looks for nothing hears of a hang-up all the same, and only once."""
    listener = socket.create_server(("127.0.0.1", 0))
    for data in (b"", b"POST", REQUEST, REQUEST + OTHER):
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        theirs.setblocking(False)
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
        peer = Client(rig.reactor, stream, "127.0.0.1")
        ours.sendall(data)
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(rig.reactor.serve, peer)
            await rig.settle()
            assert not peer.ended
            ours.close()  # RST
            await rig.settle()
            assert peer.ended
    listener.close()
    assert len(rig.reactor) == 0


async def test_a_half_closed_connection_is_no_busy_loop(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(REQUEST)
    await plug.wire.stream.send_eof()
    await rig.settle()  # does not return from a busy loop
    assert plug.peer.interest == 0
    await rig.answer()
    assert await plug.ended() is None


async def test_a_fault_in_one_connection_ends_it_alone(rig: Any, capsys: Any) -> None:
    bad, good = await rig.connect(), await rig.connect()

    def broken(data: bytes) -> None:
        raise ZeroDivisionError

    bad.peer.take = broken
    await bad.wire.send(REQUEST)
    await good.wire.send(REQUEST)
    assert await bad.ended() is None
    await rig.settle()
    await rig.answer()
    assert (await good.wire.reply()).body == b"0"
    assert "request_failed" in capsys.readouterr().out


@pytest.mark.parametrize("where", ["flushed", "check"])
async def test_a_fault_while_flushing_or_sweeping_ends_one_alone(
    rig: Any, where: str, capsys: Any
) -> None:
    bad, good = await rig.connect(), await rig.connect()
    await bad.wire.send(REQUEST)
    await good.wire.send(REQUEST)
    await rig.settle()

    def broken() -> None:
        raise ZeroDivisionError

    setattr(bad.peer, where, broken)
    await rig.answer()
    assert (await good.wire.reply()).body == b"1"
    assert await bad.ended() is None
    assert "request_failed" in capsys.readouterr().out
    assert not good.peer.ended


async def test_a_turn_is_not_interrupted_by_a_flush(rig: Any) -> None:
    """A commit may settle because of what a turn begins. What it tells leaves with the turn."""
    plug = await rig.connect()
    writes: list[int] = []
    begin = rig.desk.begin

    def begin_and_settle(*request: Any) -> None:
        begin(*request)
        rig.desk.begun[-1].slot.fill(b"HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n")
        rig.reactor.flush()
        writes.append(len(plug.peer._out))

    rig.reactor.begin = begin_and_settle
    await plug.wire.send(REQUEST * 3)
    await rig.settle()
    assert writes == [1, 2, 3]
    for _ in range(3):
        assert (await plug.wire.reply()).status == 200


async def test_more_connections_than_one_turn_takes(rig: Any) -> None:
    plugs = [rig.plug() for _ in range(EVENTS_MAX * 3)]
    await rig.settle()
    for plug in plugs:
        plug.wire.send_now(REQUEST)
    await rig.settle()
    assert len(rig.desk.begun) == EVENTS_MAX * 3
    await rig.answer()
    for plug in plugs:
        assert (await plug.wire.reply()).status == 200


async def test_a_busy_connection_does_not_starve_the_others(rig: Any) -> None:
    rig.desk.at_once = b"HTTP/1.1 400 x\r\ncontent-length: 0\r\n\r\n"
    busy = [rig.plug() for _ in range(EVENTS_MAX * 2)]
    modest = rig.plug()
    await rig.settle()
    order: list[Any] = []
    begin = rig.desk.begin
    rig.reactor.begin = lambda slot, *rest: order.append(slot.client) or begin(slot, *rest)
    for plug in busy:
        plug.wire.send_now(REQUEST * 300)
    modest.wire.send_now(REQUEST)
    await rig.settle()
    before = order.index(modest.peer)
    assert max(order[:before].count(plug.peer) for plug in busy) <= 64
    assert len(order) == EVENTS_MAX * 2 * 300 + 1


async def test_who_comes_while_draining_is_sent_away(rig: Any) -> None:
    rig.reactor.drain()
    plug = rig.plug()
    assert await plug.ended() is None


async def test_the_sweep_ends_what_is_idle(make_rig: Any) -> None:
    rig = make_rig(keep_alive_timeout_s=0.1)
    plug = await rig.connect()
    assert await plug.ended() is None


async def test_a_reactor_with_connections_is_not_closed(rig: Any) -> None:
    await rig.connect()
    with pytest.raises(AssertionError, match="1 connections"):
        rig.reactor.close()
