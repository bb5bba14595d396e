"""The rule: a subscriber costs so much and no more; who is too slow is told so and cut off."""

import os
import socket
from typing import Any

import pytest

from tradeclear.gateway.door import stream_socket
from tradeclear.gateway.door.frames import frame
from tradeclear.gateway.door.stream_socket import StreamSocket
from tradeclear.gateway.rate_limits import RateLimits, TokenBuckets
from tradeclear.gateway.streams.streams import StreamLimits, Streams
from tradeclear.gateway.streams.subscriber import BACKLOG_BYTES_MAX, NOT_READY, SEND_BUFFER_BYTES

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


@pytest.fixture
def streams(house: Any) -> Streams:
    return Streams(house.exchange, house.log, house.metrics, StreamLimits(connections_max=2))


@pytest.fixture
def connect(rig: Any, streams: Streams) -> Any:
    """A subscriber after its handshake, nobody but the reactor serving it."""
    limits = RateLimits(
        client=TokenBuckets(rate_per_s=0, burst=1, clock=lambda: 0.0),
        address=TokenBuckets(rate_per_s=0, burst=1, clock=lambda: 0.0),
    )

    def make(reactor: Any, stream: Any, address: str) -> StreamSocket:
        return StreamSocket(reactor, stream, address, streams, limits, KEY)

    async def one() -> Any:
        plug = await rig.connect(make)
        assert (await plug.wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        return plug

    return one


def stall(plug: Any) -> bytes:
    """Deliver until the kernel takes no more; what was delivered."""
    piece = frame(TEXT, b"x" * 4_000)
    told = b""
    while not plug.peer._unsent:
        plug.peer.deliver(piece)
        told += piece
    return told


async def test_what_is_delivered_leaves_at_once(connect: Any) -> None:
    plug = await connect()
    plug.peer.deliver(frame(TEXT, b"{}"))
    assert os.read(plug.wire.stream.socket.fileno(), 100) == frame(TEXT, b"{}")


async def test_what_waits_leaves_in_order(connect: Any, rig: Any) -> None:
    plug = await connect()
    told = stall(plug)
    for number in range(5):
        plug.peer.deliver(frame(TEXT, b"%d" % number))
        told += frame(TEXT, b"%d" % number)
    assert await plug.wire.exactly(len(told)) == told
    await rig.settle()
    assert plug.peer.all_sent
    assert plug.peer._waiting_bytes == 0


async def test_it_is_ready_while_nothing_waits(connect: Any, rig: Any) -> None:
    plug = await connect()
    assert plug.peer.ready_descriptor == plug.peer.descriptor
    told = stall(plug)
    assert plug.peer.ready_descriptor == NOT_READY
    await plug.wire.exactly(len(told))
    await rig.settle()
    assert plug.peer.ready_descriptor == plug.peer.descriptor


async def test_nothing_is_tried_before_there_is_room(connect: Any, rig: Any) -> None:
    """A subscriber that does not read costs no flush, whoever's it is."""
    plug = await connect()
    stall(plug)
    plug.peer.deliver(frame(TEXT, b"{}"))
    assert rig.reactor.flushing == []


@pytest.mark.parametrize("end", ["end", "close_when_done"])
async def test_one_that_ends_is_not_ready(connect: Any, end: str) -> None:
    """Its descriptor may be another connection's soon."""
    plug = await connect()
    getattr(plug.peer, end)()
    assert plug.peer.ready_descriptor == NOT_READY


async def test_what_waits_is_not_copied(connect: Any) -> None:
    """A thousand subscribers that wait for the same bytes hold them once."""
    plug = await connect()
    stall(plug)
    shared = frame(TEXT, b"y" * 3_000)
    plug.peer.deliver(shared)
    assert plug.peer._out[-1] is shared
    assert isinstance(plug.peer._unsent, memoryview)


async def test_cut_off_when_too_much_waits(connect: Any, rig: Any, house: Any) -> None:
    plug = await connect()
    stall(plug)
    half_sent = bytes(plug.peer._unsent)
    piece = frame(TEXT, b"z" * 1_000)
    most = BACKLOG_BYTES_MAX + len(piece)
    for _ in range(200):
        plug.peer.deliver(piece)
        assert sum(map(len, plug.peer._out)) <= most
    assert house.metrics.stream_cut_off == 1
    assert plug.peer._out[0][:2] == b"\x88" + bytes([len(plug.peer._out[0]) - 2])
    rest = await plug.wire.rest()
    assert half_sent in rest
    close = rest[-len(plug.peer._out[0]) :] if plug.peer._out else rest[rest.rindex(b"\x0f\xa8") :]
    assert close.startswith(b"\x0f\xa8too slow: over 49152 bytes waited")
    await plug.ended()


async def test_a_large_message_is_no_crime(connect: Any, house: Any) -> None:
    """One command may change much; who was up to date gets it, however large it is."""
    plug = await connect()
    large = frame(TEXT, b"x" * 1_000_000)
    plug.peer.deliver(large)
    plug.peer.deliver(frame(TEXT, b"{}"))
    assert await plug.wire.exactly(len(large)) == large
    assert await plug.wire.frame() == (TEXT, b"{}")
    assert house.metrics.stream_cut_off == 0


async def test_cut_off_when_nothing_is_taken(connect: Any, rig: Any, house: Any) -> None:
    plug = await connect()
    stall(plug)
    rig.idle(stream_socket.STALL_S_MAX - 0.1)
    assert house.metrics.stream_cut_off == 0
    rig.idle(0.2)
    assert house.metrics.stream_cut_off == 1
    rig.idle(stream_socket.LAST_WORD_S_MAX + 0.1)
    assert await plug.ended() is None
    total = stream_socket.STALL_S_MAX + stream_socket.LAST_WORD_S_MAX
    assert total <= 10


async def test_cut_off_when_a_ping_is_not_answered(connect: Any, rig: Any, house: Any) -> None:
    plug = await connect()
    rig.idle(stream_socket.PING_S + 0.1)
    assert await plug.wire.frame() == (PING, b"")
    rig.idle(stream_socket.PONG_S + 0.1)
    opcode, payload = await plug.wire.frame()
    assert (opcode, payload[:2]) == (CLOSE, (4008).to_bytes(2, "big"))
    assert house.metrics.stream_cut_off == 1
    wait = stream_socket.PING_S + stream_socket.PONG_S + stream_socket.LAST_WORD_S_MAX
    assert wait <= 10


async def test_who_answers_stays(connect: Any, rig: Any, client_frame: Any, house: Any) -> None:
    plug = await connect()
    for _ in range(5):
        rig.idle(stream_socket.PING_S + 0.1)
        assert await plug.wire.frame() == (PING, b"")
        await plug.wire.send(client_frame(PONG, b""))
        await rig.settle()
    assert house.metrics.stream_cut_off == 0


async def test_what_it_is_told_is_no_sign_of_life(connect: Any, rig: Any) -> None:
    plug = await connect()
    rig.reactor.now += stream_socket.PING_S + 0.1
    plug.peer.deliver(frame(TEXT, b"{}"))
    rig.idle(0)
    assert await plug.wire.frame() == (TEXT, b"{}")
    assert await plug.wire.frame() == (PING, b"")


@pytest.mark.parametrize(
    ("opcode", "payload", "code"),
    [
        (CLOSE, b"\x03\xe8bye", 1000),
        (CLOSE, b"\x03\xed", 1002),
        (TEXT, b"\xc3\x28", 1007),
        (TEXT, b"x" * 65_537, 1009),
        (3, b"", 1002),
    ],
)
async def test_how_it_closes(
    connect: Any, client_frame: Any, opcode: int, payload: bytes, code: int
) -> None:
    plug = await connect()
    await plug.wire.pour(client_frame(opcode, payload))
    told, said = await plug.wire.message()
    assert (told, int.from_bytes(said[:2], "big")) == (CLOSE, code)


async def test_a_request_in_fragments_with_a_ping_between(connect: Any, client_frame: Any) -> None:
    plug = await connect()
    await plug.wire.send(client_frame(TEXT, b'{"op":', final=False))
    await plug.wire.send(client_frame(PING, b"here?"))
    await plug.wire.send(client_frame(0, b'"list"}'))
    assert await plug.wire.frame() == (PONG, b"here?")
    assert (await plug.wire.told())["type"] == "subscriptions"


async def test_requests_of_one_that_does_not_listen_are_left_alone(
    connect: Any, rig: Any, client_frame: Any, house: Any
) -> None:
    plug = await connect()
    stall(plug)
    waiting = plug.peer._waiting_bytes
    await plug.wire.send(client_frame(TEXT, b'{"op":"list"}') * 500)
    await rig.settle()
    assert plug.peer._waiting_bytes == waiting
    rig.idle(stream_socket.STALL_S_MAX + 0.1)
    assert house.metrics.stream_cut_off == 1


async def test_nothing_follows_the_close(connect: Any, streams: Streams) -> None:
    plug = await connect()
    plug.peer.dismiss(1001, "done")
    plug.peer.deliver(frame(TEXT, b"{}"))
    assert (await plug.wire.frame())[0] == CLOSE
    assert await plug.wire.ended()
    assert streams.connections == 0


async def test_too_many(connect: Any) -> None:
    _first, _second, third = [await connect() for _ in range(3)]
    assert await third.wire.closed() == 1013


async def test_the_kernel_holds_a_bounded_part(connect: Any) -> None:
    plug = await connect()
    size = plug.stream.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert size <= 2 * SEND_BUFFER_BYTES
