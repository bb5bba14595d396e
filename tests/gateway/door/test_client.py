"""The rule: every request is begun once and answered in its turn, or left to the door behind."""

from typing import Any

import pytest

from tradeclear.gateway.door import client
from tradeclear.gateway.door.endings import Goodbye, HandOver, Upgrade
from tradeclear.gateway.door.reactor import SHARE_MAX

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (
    b"GET /ws/orders HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % KEY
)
OTHER = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def request(line: bytes = b"POST /orders", body: bytes = b"{}") -> bytes:
    return b"%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (line, len(body), body)


def numbered(count: int) -> bytes:
    return b"".join(request(body=b"%d" % number) for number in range(count))


def bodies(rig: Any) -> list[bytes]:
    return [begun.body for begun in rig.desk.begun]


async def replies(plug: Any, count: int) -> list[bytes]:
    return [(await plug.wire.reply()).body for _ in range(count)]


# Order and framing


async def test_a_request_and_its_reply(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(request(body=b"abc"))
    await rig.settle()
    assert bodies(rig) == [b"abc"]
    assert rig.desk.begun[0].head.route == "place"
    await rig.answer()
    assert await replies(plug, 1) == [b"0"]
    await plug.wire.send(request(b"DELETE /orders/o", b""))
    await rig.settle()
    assert rig.desk.begun[1].head.order_id == "o"


async def test_replies_leave_in_the_order_of_their_requests(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(numbered(4))
    await rig.settle()
    assert bodies(rig) == [b"0", b"1", b"2", b"3"]
    await rig.answer(2)
    await rig.answer(1)
    assert plug.peer.all_sent
    await rig.answer(0)
    assert await replies(plug, 3) == [b"0", b"1", b"2"]
    await rig.answer(3)
    assert await replies(plug, 1) == [b"3"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
async def test_requests_in_pieces(rig: Any, size: int) -> None:
    plug = await rig.connect()
    data = numbered(3) + request(body=b"x" * 40)
    for at in range(0, len(data), size):
        await plug.wire.send(data[at : at + size])
        await rig.settle()
    assert bodies(rig) == [b"0", b"1", b"2", b"x" * 40]


async def test_a_body_that_looks_like_a_request(rig: Any) -> None:
    plug = await rig.connect()
    inside = request(b"DELETE /orders/a", b"") + b"\r\n\r\n"
    await plug.wire.send(request(body=inside) + request(body=b"after"))
    await rig.settle()
    assert bodies(rig) == [inside, b"after"]


async def test_a_large_body_in_many_reads(rig: Any) -> None:
    plug = await rig.connect()
    body = bytes(range(256)) * 4096
    await plug.wire.send(request(body=body)[:-1])
    await rig.settle()
    assert bodies(rig) == []
    await plug.wire.send(body[-1:])
    await rig.settle()
    assert bodies(rig) == [body]


async def test_an_incomplete_body_costs_no_look_at_the_head(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(request(body=b"x" * 1000)[:-900])
    await rig.settle()
    looked: list[bytes] = []
    read = rig.reactor.read_head
    rig.reactor.read_head = lambda data: looked.append(data) or read(data)
    for _ in range(899):
        await plug.wire.send(b"x")
    await rig.settle()
    assert looked == []
    await plug.wire.send(b"x")
    await rig.settle()
    assert bodies(rig) == [b"x" * 1000]


# Many at once


async def test_so_many_are_under_way_and_no_more(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(numbered(client.PIPELINE_MAX + 10))
    await rig.settle()
    assert len(rig.desk.begun) == client.PIPELINE_MAX
    await plug.wire.send(request(body=b"last"))
    await rig.settle()
    await rig.answer(0)
    assert len(rig.desk.begun) == client.PIPELINE_MAX + 1
    await rig.answer(*range(1, client.PIPELINE_MAX))
    assert bodies(rig)[-11:] == [b"%d" % n for n in range(256, 266)] + [b"last"]
    await rig.answer(*range(client.PIPELINE_MAX, client.PIPELINE_MAX + 11))
    assert await replies(plug, client.PIPELINE_MAX + 11) == [b"%d" % n for n in range(267)]


async def test_others_get_their_turn_between(rig: Any) -> None:
    rig.desk.at_once = b"HTTP/1.1 400 x\r\ncontent-length: 0\r\n\r\n"
    greedy, modest = await rig.connect(), await rig.connect()
    greedy.wire.send_now(numbered(1000))
    modest.wire.send_now(request(body=b"modest"))
    for _ in range(1000):
        await greedy.wire.reply()
    assert bodies(rig).index(b"modest") <= SHARE_MAX
    assert len(rig.desk.begun) == 1001


async def test_a_pipeline_larger_than_any_read(rig: Any) -> None:
    rig.desk.at_once = b"HTTP/1.1 400 x\r\ncontent-length: 0\r\n\r\n"
    plug = await rig.connect()
    rig.nursery.start_soon(plug.wire.send, numbered(20_000))
    for _ in range(20_000):
        assert (await plug.wire.reply()).status == 400
    assert bodies(rig) == [b"%d" % number for number in range(20_000)]


@pytest.mark.parametrize("line", [b"PATCH /orders/o", b"POST /orders/batch"])
async def test_what_looks_at_the_book_waits_alone(rig: Any, line: bytes) -> None:
    plug = await rig.connect()
    await plug.wire.send(numbered(2) + request(line, b"alone") + request(body=b"after"))
    await rig.settle()
    assert bodies(rig) == [b"0", b"1"]
    await rig.answer(1)
    assert bodies(rig) == [b"0", b"1"]
    await rig.answer(0)
    assert bodies(rig) == [b"0", b"1", b"alone"]
    await rig.answer(2)
    assert bodies(rig) == [b"0", b"1", b"alone", b"after"]
    await rig.answer(3)
    assert await replies(plug, 4) == [b"0", b"1", b"2", b"3"]


async def test_one_alone_holds_back_what_comes_later(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(request(b"PATCH /orders/o"))
    await rig.settle()
    await plug.wire.send(request(body=b"after"))
    await rig.settle()
    assert len(rig.desk.begun) == 1
    await rig.answer(0)
    assert bodies(rig)[1:] == [b"after"]


async def test_one_alone_that_is_answered_at_once(rig: Any) -> None:
    rig.desk.at_once = b"HTTP/1.1 400 x\r\ncontent-length: 0\r\n\r\n"
    plug = await rig.connect()
    await plug.wire.send(request(b"PATCH /orders/o") * 3 + request(body=b"after"))
    await rig.settle()
    assert bodies(rig)[3:] == [b"after"]
    await plug.wire.send(request(body=b"later"))
    await rig.settle()
    assert bodies(rig)[4:] == [b"later"]


# Handing over


@pytest.mark.parametrize(
    "rest",
    [
        OTHER,
        OTHER + request(),
        request(b"POST  /orders"),
        request(b"POST /orders").replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"),
        request(body=b"x" * 101),
        b"\r\n" + request(),
        b"POST /orders HTTP/1.1\nHost: x\n\n",
        b"POST /orders HTTP/1.1\nHost: x\n\r\n",
        b"\x16\x03\x01",
        b"POST /orders HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 1000,
        b"POST /orders HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 1000 + b"\r\n\r\n",
        HANDSHAKE + b"\x81\x80\0\0\0\0",
    ],
)
async def test_what_is_not_for_here_is_handed_over_with_all_that_follows(
    make_rig: Any, rest: bytes
) -> None:
    rig = make_rig(body_bytes_max=100, header_bytes_max=300)
    plug = await rig.connect()
    await plug.wire.send(request(body=b"0") + rest)
    await rig.settle()
    assert bodies(rig) == [b"0"]
    await rig.answer()
    assert await plug.ended() == HandOver(rest)


async def test_handing_over_waits_for_the_replies(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(numbered(2) + OTHER)
    await rig.settle()
    await plug.wire.send(b"more")  # stays in the kernel, for the door behind to read
    await rig.settle()
    await rig.answer(1)
    assert plug.outcome is None
    await rig.answer(0)
    assert await plug.ended() == HandOver(OTHER)
    assert await replies(plug, 2) == [b"0", b"1"]


async def test_a_refusal_is_sent_before_the_connection_is_handed_over(rig: Any) -> None:
    rig.desk.at_once = b"HTTP/1.1 400 x\r\ncontent-length: 3\r\n\r\nbad"
    plug = await rig.connect()
    await plug.wire.send(request() + OTHER)
    assert await plug.ended() == HandOver(OTHER)
    assert await replies(plug, 1) == [b"bad"]


async def test_a_handshake_waits_for_the_replies(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(numbered(2) + HANDSHAKE)
    await rig.settle()
    await rig.answer()
    assert await plug.ended() == Upgrade("order_socket", KEY)
    assert await replies(plug, 2) == [b"0", b"1"]


async def test_a_handshake_after_a_refusal(rig: Any) -> None:
    rig.desk.at_once = b"HTTP/1.1 400 x\r\ncontent-length: 3\r\n\r\nbad"
    plug = await rig.connect()
    await plug.wire.send(request() + HANDSHAKE)
    assert await plug.ended() == Upgrade("order_socket", KEY)


async def test_heads_and_bodies_of_the_greatest_size_are_for_here(make_rig: Any) -> None:
    rig = make_rig(body_bytes_max=100, header_bytes_max=300)
    plug = await rig.connect()
    plain = request(body=b"x" * 100)
    padding = 300 - (len(plain) - 100) - len(b"A: \r\n")
    padded = plain.replace(b"Host: x\r\n", b"Host: x\r\nA: " + b"a" * padding + b"\r\n")
    await plug.wire.send(padded)
    await rig.settle()
    assert len(padded) == 400
    assert bodies(rig) == [b"x" * 100]
    await plug.wire.send(padded.replace(b"A: ", b"A: a"))
    await rig.answer()
    assert isinstance(await plug.ended(), HandOver)


# Ends


async def test_a_client_that_sends_no_more_is_answered(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(numbered(2))
    await plug.wire.stream.send_eof()
    await rig.settle()
    await rig.answer()
    assert await plug.ended() is None
    assert await replies(plug, 2) == [b"0", b"1"]
    assert await plug.wire.ended()


async def test_the_end_is_seen_after_a_long_pipeline(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(numbered(600))
    await plug.wire.stream.send_eof()
    await rig.settle()
    for first in (0, 256, 512):
        await rig.answer(*range(first, min(first + 256, 600)))
    assert await plug.ended() is None
    assert await replies(plug, 600) == [b"%d" % number for number in range(600)]


@pytest.mark.parametrize("rest", [b"POST /orders HT", request(body=b"12345")[:-1]])
async def test_half_a_request_at_the_end_is_for_the_door_behind(rig: Any, rest: bytes) -> None:
    plug = await rig.connect()
    await plug.wire.send(request() + rest)
    await plug.wire.stream.send_eof()
    await rig.settle()
    await rig.answer()
    assert await plug.ended() == HandOver(rest)


async def test_a_client_that_is_gone_ends_the_connection_and_not_its_orders(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(numbered(2))
    await rig.settle()
    await plug.wire.stream.aclose()
    await rig.settle()
    await rig.answer()
    assert await plug.ended() is None
    assert bodies(rig) == [b"0", b"1"]
    assert len(rig.reactor) == 0


async def test_silence_before_the_first_request_and_between_two(rig: Any) -> None:
    plug, silent = await rig.connect(), await rig.connect()
    await plug.wire.send(request())
    await rig.settle()
    await rig.answer()
    await plug.wire.reply()
    rig.idle(74)
    assert len(rig.reactor) == 2
    rig.idle(2)
    assert await plug.ended() is None
    assert await silent.ended() is None
    assert await plug.wire.ended()


async def test_a_reply_may_take_its_time(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(request())
    await rig.settle()
    rig.idle(1000)
    await rig.answer()
    assert await replies(plug, 1) == [b"0"]


@pytest.mark.parametrize(
    ("data", "wait_s", "what"),
    [
        (b"POST /orders", 10, b"head took more than 10 s"),
        (request(body=b"12345")[:-1], 20, b"body took more than 10 s"),
    ],
)
async def test_half_a_request_has_a_time(rig: Any, data: bytes, wait_s: float, what: bytes) -> None:
    plug = await rig.connect()
    await plug.wire.send(data[:-1])
    await rig.settle()
    rig.idle(wait_s - 1)
    await plug.wire.send(data[-1:])  # a trickle does not help
    await rig.settle()
    plug.peer._partial_since -= wait_s - 1  # the turn has set the clock right again
    rig.idle(2)
    reply = await plug.wire.reply()
    assert (reply.status, reply.body) == (408, what)
    assert await plug.ended() == Goodbye()


async def test_the_next_request_has_its_own_time(rig: Any) -> None:
    rig.desk.at_once = b"HTTP/1.1 400 x\r\ncontent-length: 0\r\n\r\n"
    plug = await rig.connect()
    await plug.wire.send(request()[:-1])
    await rig.settle()
    plug.peer._partial_since -= 19
    await plug.wire.send(request()[-1:] + request()[:-1])
    await rig.settle()
    rig.idle(9)
    assert not plug.peer.ended
    rig.idle(12)
    assert await plug.ended() == Goodbye()


# Slow readers


async def test_a_reader_that_stalls_is_cut_off(rig: Any, fill_pipe: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(request())
    await rig.settle()
    fill_pipe(plug)
    await rig.answer()
    rig.idle(9)
    assert not plug.peer.ended
    rig.idle(2)
    assert await plug.ended() is None


async def test_a_reader_that_stalls_is_not_read_from(rig: Any, fill_pipe: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(request())
    await rig.settle()
    filled = fill_pipe(plug)
    await rig.answer()
    await plug.wire.send(numbered(3))
    await rig.settle()
    assert len(rig.desk.begun) == 1
    assert await plug.wire.exactly(len(filled)) == filled
    assert await replies(plug, 1) == [b"0"]
    await rig.settle()
    assert len(rig.desk.begun) == 4


async def test_a_trickle_of_reading_is_stalling(rig: Any, fill_pipe: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(request())
    await rig.settle()
    fill_pipe(plug)
    rig.desk.begun[0].slot.fill(b"y" * 1_000_000)
    rig.reactor.flush()
    seconds = 0
    while not plug.peer.ended:
        assert seconds < 14
        await plug.wire.exactly(5_000)
        await rig.settle()
        plug.peer._stalled_since -= 1
        rig.idle(0)
        seconds += 1
    assert seconds > 9


async def test_a_reply_larger_than_any_buffer(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(numbered(3))
    await rig.settle()
    large = b"HTTP/1.1 200 x\r\ncontent-length: 3000000\r\n\r\n" + bytes(range(250)) * 12_000
    rig.desk.begun[0].slot.fill(large)
    rig.reactor.flush()
    await rig.settle()
    await rig.answer(1)
    await rig.answer(2)
    assert (await plug.wire.reply()).body == bytes(range(250)) * 12_000
    assert await replies(plug, 2) == [b"1", b"2"]


async def test_no_busy_loop_while_the_last_replies_are_made(rig: Any, fill_pipe: Any) -> None:
    """Found: the reactor went on looking for room to write when there was nothing to write."""
    plug = await rig.connect()
    await plug.wire.send(numbered(2) + OTHER)
    await rig.settle()
    filled = fill_pipe(plug)
    await rig.answer(0)  # does not fit
    assert await plug.wire.exactly(len(filled)) == filled
    assert await replies(plug, 1) == [b"0"]
    await rig.settle()  # does not return from a busy loop
    assert plug.peer.interest == 0
    await rig.answer(1)
    assert await plug.ended() == HandOver(OTHER)


# Shutdown


async def test_an_idle_connection_is_closed_at_once(rig: Any) -> None:
    plug, half = await rig.connect(), await rig.connect()
    await half.wire.send(b"POST /or")
    await rig.settle()
    rig.reactor.drain()
    assert await plug.ended() is None
    assert await half.ended() is None


async def test_what_is_under_way_is_answered_first(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(numbered(2) + request(b"PATCH /orders/o"))
    await rig.settle()
    rig.reactor.drain()
    await rig.settle()
    assert not plug.peer.ended
    await rig.answer()
    assert await plug.ended() == Goodbye()
    assert await replies(plug, 2) == [b"0", b"1"]
    assert len(rig.desk.begun) == 2


async def test_cancelled_the_client_is_told_that_nobody_knows(rig: Any) -> None:
    plug = await rig.connect()
    await plug.wire.send(numbered(3))
    await rig.settle()
    await rig.answer(1)
    plug.scope.cancel()
    await plug.ended()
    assert await replies(plug, 3) == [b"unknown", b"1", b"unknown"]
    assert await plug.wire.ended()
    await rig.answer()  # nobody to tell
