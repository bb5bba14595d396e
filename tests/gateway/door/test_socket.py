"""The rule: a WebSocket keeps to RFC 6455, answers every command, and holds a bounded lot."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import trio

from tradeclear.gateway.door.endings import Goodbye
from tradeclear.gateway.door.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from tradeclear.gateway.door.socket import PING_S, OrderSocket
from tradeclear.gateway.order_messages import OrderMessages
from tradeclear.gateway.order_session import UNDER_WAY_MAX
from tradeclear.gateway.rate_limits import unlimited

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture
def connect(house: Any, rig: Any) -> Callable[..., Any]:
    """`await connect()`: a WebSocket on the reactor alone, its handshake answered."""
    messages = OrderMessages(house.exchange, unlimited(), house.metrics)
    house.exchange.on_settled(rig.reactor.flush)

    def make(reactor: Any, stream: Any, address: str) -> OrderSocket:
        return OrderSocket(reactor, stream, address, messages, KEY)

    async def connect_one() -> Any:
        plug = rig.plug(make)
        assert (await plug.wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        return plug

    return connect_one


@pytest.fixture
def text(client_frame: Any) -> Callable[..., bytes]:
    """A frame that places orders, with the ids given."""

    def make(*ids: str, **fields: Any) -> bytes:
        orders = [
            {"id": one, "order_id": one, "client_id": "A", "side": "buy", "price": 1, "quantity": 1}
            | fields
            for one in ids
        ]
        body = json.dumps(orders if len(orders) > 1 else orders[0])
        return bytes(client_frame(TEXT, body.encode()))

    return make


async def ids(plug: Any, count: int) -> list[str]:
    return [(await plug.wire.told())["id"] for _ in range(count)]


# Messages


async def test_a_command_and_its_reply(connect: Any, text: Any) -> None:
    plug = await connect()
    await plug.wire.send(text("a"))
    told = await plug.wire.told()
    assert (told["id"], told["status"], told["order"]["status"]) == ("a", 201, "open")


async def test_bytes_do_as_well_as_text(connect: Any, text: Any) -> None:
    plug = await connect()
    await plug.wire.send(bytes([0x80 | BINARY]) + text("a")[1:])
    assert await ids(plug, 1) == ["a"]


async def test_replies_keep_the_order_of_the_commands(connect: Any, text: Any) -> None:
    plug = await connect()
    await plug.wire.send(b"".join(text(str(number)) for number in range(500)))
    assert await ids(plug, 500) == [str(number) for number in range(500)]


async def test_an_array_is_answered_one_by_one(connect: Any, text: Any) -> None:
    plug = await connect()
    names = [str(number) for number in range(300)]
    await plug.wire.send(text(*names) + text("after"))
    assert await ids(plug, 301) == [*names, "after"]


async def test_a_message_in_fragments_with_a_ping_between(connect: Any, client_frame: Any) -> None:
    plug = await connect()
    body = '{"id":"é","client_id":"A","side":"buy","price":1,"quantity":1}'.encode()
    for at in range(len(body) + 1):  # within the letter, too
        await plug.wire.send(
            client_frame(TEXT, body[:at], final=False)
            + client_frame(PING, b"%d" % at)
            + client_frame(CONTINUATION, body[at:])
        )
        assert await plug.wire.frame() == (PONG, b"%d" % at)
        assert (await plug.wire.told())["id"] == "é"


async def test_frames_in_single_bytes(connect: Any, rig: Any, text: Any) -> None:
    plug = await connect()
    for byte in text("a") + text("b"):
        await plug.wire.send(bytes([byte]))
        await rig.settle()
    assert await ids(plug, 2) == ["a", "b"]


async def test_the_greatest_message(connect: Any, client_frame: Any) -> None:
    plug = await connect()
    body = b'{"id":1,"client_id":"A","side":"buy","price":1,"quantity":1}'
    await plug.wire.send(client_frame(TEXT, body + b" " * (65_536 - len(body))))
    assert (await plug.wire.told())["status"] == 201


async def test_a_pong_that_nobody_asked_for(connect: Any, client_frame: Any, text: Any) -> None:
    plug = await connect()
    await plug.wire.send(client_frame(PONG, b"?") + text("a"))
    assert await ids(plug, 1) == ["a"]


# The end


@pytest.mark.parametrize(
    ("opcode", "payload", "options", "code"),
    [
        (TEXT, b"{}", {"mask": None}, 1002),
        (CONTINUATION, b"{}", {}, 1002),
        (3, b"", {}, 1002),
        (PING, b"x" * 126, {}, 1002),
        (TEXT, b"x" * 65_537, {}, 1009),
        (TEXT, b"\xff", {}, 1007),
        (TEXT, b'{"id":"\xc3', {}, 1007),
        (CLOSE, b"\x03", {}, 1002),
        (CLOSE, b"\x03\xed", {}, 1002),
        (CLOSE, b"\x03\xe8\xff", {}, 1007),
        (CLOSE, b"\x03\xe8bye", {}, 1000),
        (CLOSE, b"\x0f\xa0", {}, 4000),
    ],
)
async def test_how_it_closes(
    connect: Any, client_frame: Any, opcode: int, payload: bytes, options: Any, code: int
) -> None:
    plug = await connect()
    await plug.wire.send(client_frame(opcode, payload, **options))
    assert await plug.wire.closed() == code
    assert await plug.ended() == (None if opcode == CLOSE else Goodbye())


async def test_a_close_without_a_code(connect: Any, client_frame: Any) -> None:
    plug = await connect()
    await plug.wire.send(client_frame(CLOSE))
    assert await plug.wire.frame() == (CLOSE, b"")
    assert await plug.wire.ended()


async def test_what_came_before_the_end_takes_effect(
    connect: Any, client_frame: Any, text: Any, house: Any, hold: Any, capsys: Any
) -> None:
    plug = await connect()
    await plug.wire.send(text("a", "b") + client_frame(CLOSE, b"\x03\xe8") + text("after"))
    assert await plug.wire.closed() == 1000  # at once: nothing may follow it
    hold.release()
    await house.partition.gate.wait_durable(3)
    assert house.engine.orders.open_count == 2
    assert "request_failed" not in capsys.readouterr().out


async def test_what_came_before_a_violation_takes_effect(
    connect: Any, client_frame: Any, text: Any, house: Any
) -> None:
    plug = await connect()
    await plug.wire.send(text("a") + client_frame(TEXT, b"", mask=None) + text("after"))
    assert await plug.wire.closed() == 1002
    await house.partition.gate.wait_durable(2)
    assert house.engine.orders.open_count == 1


async def test_nothing_follows_a_close_that_waits_for_room(
    connect: Any, rig: Any, client_frame: Any, text: Any, house: Any, hold: Any, fill_pipe: Any
) -> None:
    plug = await connect()
    await plug.wire.send(text("a"))
    await rig.settle()
    filled = fill_pipe(plug)
    await plug.wire.send(client_frame(CLOSE, b"\x03\xe8"))
    await rig.settle()
    hold.release()
    await house.partition.gate.wait_durable(2)
    assert await plug.wire.exactly(len(filled)) == filled
    assert await plug.wire.closed() == 1000


async def test_a_client_that_is_gone_has_placed_its_orders(
    connect: Any, rig: Any, text: Any, house: Any, hold: Any, capsys: Any
) -> None:
    plug = await connect()
    await plug.wire.send(text("a", "b"))
    await rig.settle()
    await plug.wire.stream.aclose()
    assert await plug.ended() is None
    hold.release()
    await house.partition.gate.wait_durable(3)
    assert house.engine.orders.open_count == 2
    assert "request_failed" not in capsys.readouterr().out


# Bounds


async def test_so_many_are_under_way_and_no_more(
    connect: Any, rig: Any, text: Any, house: Any, hold: Any
) -> None:
    plug = await connect()
    names = [str(number) for number in range(UNDER_WAY_MAX + 300)]
    messages = [text(*names[at : at + 100]) for at in range(0, len(names), 100)]
    rig.nursery.start_soon(plug.wire.pour, b"".join(messages))
    await rig.settle()
    assert plug.peer._session.under_way == UNDER_WAY_MAX
    assert plug.peer.interest == 0
    hold.release()
    assert sorted(await ids(plug, len(names))) == sorted(names)
    assert plug.peer._session.under_way == 0


async def test_a_reader_that_stalls_is_not_read_from_and_cut_off(
    connect: Any, rig: Any, text: Any, client_frame: Any, fill_pipe: Any
) -> None:
    plug = await connect()
    fill_pipe(plug)
    refused = client_frame(TEXT, b"[" + b"{}," * 900 + b"{}]")
    rig.nursery.start_soon(plug.wire.pour, refused * 30)
    await rig.settle()
    held = sum(map(len, plug.peer._out)) + len(plug.peer._unsent)
    assert held < 200_000, "about one turn's replies, and it waits for room"
    rig.idle(9)
    assert not plug.peer.ended
    rig.idle(2)
    assert await plug.ended() is None


async def test_many_refusals_leave_others_their_turn(
    connect: Any, text: Any, client_frame: Any, rig: Any
) -> None:
    greedy, modest = await connect(), await connect()
    order: list[Any] = []
    for plug in (greedy, modest):
        send = plug.peer._session._send
        plug.peer._session._send = lambda data, plug=plug, send=send: (
            order.append(plug),
            send(data),
        )
    greedy.wire.send_now(client_frame(TEXT, b"[" + b"{}," * 900 + b"{}]") * 20)
    modest.wire.send_now(client_frame(TEXT, b"{}"))
    for _ in range(901 * 20):
        await greedy.wire.told()
    assert order.index(modest) <= 128


async def test_a_flood_of_pings(connect: Any, client_frame: Any) -> None:
    plug = await connect()
    rounds = 20_000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(plug.wire.send, client_frame(PING, b"x") * rounds)
        for _ in range(rounds):
            assert await plug.wire.frame() == (PONG, b"x")


# Amends wait for what they amend


async def test_an_amend_right_behind_its_order(connect: Any, text: Any, client_frame: Any) -> None:
    """Found: it was counted in the first instrument's ticks, for the order was not known yet."""
    plug = await connect()
    amend = b'{"id":"amend","op":"amend","order_id":"o","price":"101.05"}'
    await plug.wire.send(
        text("o", instrument="ETH-USD", price="100", quantity="1")
        + client_frame(TEXT, amend)
        + text("after")
    )
    placed, amended, after = [await plug.wire.told() for _ in range(3)]
    assert placed["order"]["price"] == 100
    assert (amended["id"], amended["status"]) == ("amend", 200)
    assert amended["order"]["price"] == 101.05
    assert after["id"] == "after"


async def test_an_amend_within_an_array(connect: Any, client_frame: Any) -> None:
    plug = await connect()
    order = b'{"id":%d,"order_id":"o%d","client_id":"A","side":"buy","price":"100","quantity":"1",'
    await plug.wire.send(
        client_frame(
            TEXT,
            b"[%b]"
            % b",".join(
                (order % (n, n)) + b'"instrument":"ETH-USD"},'
                b'{"id":"a%d","op":"amend","order_id":"o%d","price":"50.05"}' % (n, n)
                for n in range(50)
            ),
        )
    )
    told = [await plug.wire.told() for _ in range(100)]
    assert [one["id"] for one in told] == [x for n in range(50) for x in (n, f"a{n}")]
    assert {one["order"]["price"] for one in told[1::2]} == {50.05}


# Shutdown


async def test_the_last_reply_and_then_1001(connect: Any, rig: Any, text: Any, hold: Any) -> None:
    plug = await connect()
    await plug.wire.send(text("a", "b"))
    await rig.settle()
    rig.reactor.drain()
    await plug.wire.send(text("after"))
    await rig.settle()
    hold.release()
    assert await ids(plug, 2) == ["a", "b"]
    assert await plug.wire.closed() == 1001
    assert await plug.ended() == Goodbye()


async def test_1001_at_once_if_nothing_is_under_way(connect: Any, rig: Any) -> None:
    plug = await connect()
    rig.reactor.drain()
    assert await plug.wire.closed() == 1001


async def test_1001_right_after_the_handshake(connect: Any, rig: Any) -> None:
    rig.reactor.drain()
    plug = await connect()
    assert await plug.wire.closed() == 1001


async def test_1001_when_there_is_room_for_it(
    connect: Any, rig: Any, client_frame: Any, fill_pipe: Any
) -> None:
    plug = await connect()
    filled = fill_pipe(plug)
    await plug.wire.send(client_frame(PING))
    await rig.settle()
    rig.reactor.drain()
    await rig.settle()
    assert await plug.wire.exactly(len(filled)) == filled
    assert await plug.wire.frame() == (PONG, b"")
    assert await plug.wire.closed() == 1001


@pytest.mark.parametrize("under_way", [False, True])
async def test_cancelled_it_says_what_it_can(
    connect: Any, rig: Any, text: Any, hold: Any, under_way: bool
) -> None:
    plug = await connect()
    if under_way:
        await plug.wire.send(text("a"))
        await rig.settle()
    plug.scope.cancel()
    assert await plug.wire.closed() == (1011 if under_way else 1001)
    hold.release()


# Silence


async def test_a_silent_client_is_asked_and_then_left(connect: Any, rig: Any) -> None:
    plug = await connect()
    rig.idle(PING_S - 1)
    await rig.settle()
    assert not plug.peer._pinged
    rig.idle(2)
    assert await plug.wire.frame() == (PING, b"")
    rig.idle(PING_S + 1)
    assert await plug.wire.closed() == 1002


async def test_a_silent_client_that_answers_stays(
    connect: Any, rig: Any, client_frame: Any
) -> None:
    plug = await connect()
    for _ in range(5):
        rig.idle(PING_S + 1)
        assert await plug.wire.frame() == (PING, b"")
        await plug.wire.send(client_frame(PONG))
        await rig.settle()
    assert not plug.peer.ended


async def test_nobody_is_blamed_for_silence_while_not_listened_to(
    connect: Any, rig: Any, text: Any, hold: Any
) -> None:
    plug = await connect()
    names = [str(number) for number in range(5000)]
    messages = [text(*names[at : at + 500]) for at in range(0, 5000, 500)]
    rig.nursery.start_soon(plug.wire.pour, b"".join(messages))
    await rig.settle()
    assert plug.peer.interest == 0
    for _ in range(3):
        rig.idle(PING_S + 1)
    assert not plug.peer.ended
    assert plug.peer.all_sent
    hold.release()
    assert len(await ids(plug, 5000)) == 5000
