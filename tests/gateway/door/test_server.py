"""The rule: one public port, whoever answers; it counts every connection and stops in order."""

import errno
import json
import socket
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio

from tradeclear.gateway.door import server
from tradeclear.pipeline.matcher import EngineFailed

SHORT_S = 0.3
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def post(order_id: str, **changes: Any) -> bytes:
    order = {"client_id": "A", "order_id": order_id, "side": "buy", "price": 1, "quantity": 1}
    body = json.dumps({**order, **changes}).encode()
    return b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def test_hot_cold_and_socket_on_one_port(door: Any, client_frame: Any) -> None:
    wire = await door.connect()
    for number in range(3):
        await wire.send(post(str(number)))
        assert (await wire.reply()).status == 201
    await wire.send(GET + post("3") + GET)
    assert [(await wire.reply()).status for _ in range(3)] == [200, 201, 200]
    ws = await door.socket()
    await ws.send(client_frame(1, b'{"op":"cancel","order_id":"3"}'))
    assert (await ws.told())["status"] == 200
    await door.assert_serving()


async def test_many_clients_at_once(door: Any, house: Any) -> None:
    async def one(number: int) -> None:
        wire = await door.connect()
        for index in range(30):
            await wire.send(post(f"{number}-{index}") + (GET if index == 20 else b""))
            assert (await wire.reply()).status == 201
            if index == 20:
                assert (await wire.reply()).status == 200

    async with trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(one, number)
    assert house.engine.orders.open_count == 900


async def test_a_taken_address_is_an_error(door: Any, house: Any) -> None:
    listener = partial(trio.open_tcp_listeners, door.port, host="127.0.0.1")
    with pytest.raises(OSError, match="in use"):
        await listener()
    await door.assert_serving()


# How many connections


@pytest.mark.parametrize("kind", ["hot", "cold", "socket", "silent"])
async def test_connections_are_counted_wherever_they_are(start_door: Any, kind: str) -> None:
    """Found: each door counted its own."""
    door = await start_door(connections_max=3)
    hot, cold = await door.connect(), await door.connect()
    await hot.send(post("hot"))
    assert (await hot.reply()).status == 201
    await cold.send(GET)
    assert (await cold.reply()).status == 200
    third = await (door.socket() if kind == "socket" else door.connect())
    if kind in ("hot", "cold"):
        await third.send(post("third") if kind == "hot" else GET)
        await third.reply()
    else:
        await trio.testing.wait_all_tasks_blocked()
    refused = await door.connect()
    reply = await refused.reply()
    assert (reply.status, reply.told["name"]) == (503, "overloaded")
    assert reply.headers["retry-after"] == "1"
    assert await refused.ended()
    await third.stream.aclose()
    with trio.fail_after(5):
        while (await door.ask(GET[:-2] + b"Connection: close\r\n\r\n"))[9:12] != b"200":
            pass


async def test_no_descriptors_left(door: Any, monkeypatch: Any, caplog: Any) -> None:
    accept = trio._socket._SocketType.accept  # type: ignore[attr-defined]
    failures = [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED]

    async def failing(self: Any) -> Any:
        accepted = await accept(self)
        if failures:
            accepted[0].close()
            raise OSError(failures.pop(), "accept failed")
        return accepted

    monkeypatch.setattr(trio._socket._SocketType, "accept", failing)  # type: ignore[attr-defined]
    for _ in range(4):
        await door.connect()
    await door.assert_serving()
    assert not failures


# Shutdown


async def stopped(door: Any, seconds: float = 3) -> None:
    with trio.fail_after(seconds):
        await door.stopped.wait()


async def test_shutdown_answers_what_is_under_way(door: Any, hold: Any, client_frame: Any) -> None:
    idle, hot, ws = await door.connect(), await door.connect(), await door.socket()
    await idle.send(b"POST /orders HT")
    await hot.send(post("a") + post("b") + GET)
    await ws.send(client_frame(1, b'{"id":1,"client_id":"A","side":"buy","price":1,"quantity":1}'))
    await trio.testing.wait_all_tasks_blocked()
    door.shutdown.set()
    assert await idle.ended()
    with pytest.raises(OSError, match="connect"):
        await door.connect()
    assert not door.stopped.is_set()
    hold.release()
    assert [(await hot.reply()).status for _ in range(3)] == [201, 201, 200]
    assert (await ws.told())["status"] == 201
    assert await ws.closed() == 1001
    assert await hot.ended()
    for wire in (idle, hot, ws):
        await wire.stream.aclose()
    await stopped(door)


async def test_shutdown_is_bounded_in_time(start_door: Any, hold: Any, house: Any) -> None:
    door = await start_door(shutdown_timeout_s=SHORT_S)
    wire = await door.connect()
    await wire.send(post("a") + post("b"))
    await trio.testing.wait_all_tasks_blocked()
    door.shutdown.set()
    for _ in range(2):
        reply = await wire.reply()
        assert (reply.status, reply.told["name"]) == (503, "outcome_unknown")
    assert await wire.ended()
    await stopped(door)
    hold.release()
    await house.partition.gate.wait_durable(3)
    assert house.engine.orders.open_count == 2


async def test_cancellation_ends_all_at_once(door: Any, hold: Any) -> None:
    wire, cold = await door.connect(), await door.connect()
    await wire.send(post("a"))
    await cold.send(GET)
    await cold.reply()
    await trio.testing.wait_all_tasks_blocked()
    door.scope.cancel()
    await stopped(door)
    assert (await wire.reply()).status == 503
    assert await wire.ended()
    assert await cold.ended()
    hold.release()


async def test_a_stalled_client_does_not_hold_up_the_shutdown(start_door: Any) -> None:
    door = await start_door(shutdown_timeout_s=SHORT_S)
    wire = await door.connect()
    wire.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with trio.move_on_after(SHORT_S):
        while True:
            await wire.send(post("x", price="-1") * 100)
    door.shutdown.set()
    await stopped(door)


# The last words


async def test_a_408_reaches_a_client_that_is_still_sending(start_door: Any) -> None:
    """Bytes that we leave unread would make our kernel take the reply back."""
    door = await start_door(header_timeout_s=SHORT_S, body_timeout_s=SHORT_S)
    wire = await door.connect()
    await wire.send(post("a" + " " * 500)[:-500])
    async with trio.open_nursery() as nursery:

        async def trickle() -> None:
            with suppress(trio.BrokenResourceError):
                while True:
                    await wire.send(b" ")
                    await trio.sleep(0.02)

        nursery.start_soon(trickle)
        reply = await wire.reply()
        nursery.cancel_scope.cancel()
    assert (reply.status, reply.told["name"]) == (408, "request_timeout")
    assert reply.headers["connection"] == "close"


async def test_a_close_code_reaches_a_client_that_is_still_sending(
    door: Any, client_frame: Any
) -> None:
    ws = await door.socket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ws.pour, client_frame(1, b"x" * 3_000_000))
        assert await ws.closed() == 1009


async def test_lingering_has_an_end(door: Any, client_frame: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(server, "LINGER_S", SHORT_S)
    ws = await door.socket()
    await ws.send(client_frame(3))
    assert await ws.closed() == 1002
    with trio.fail_after(5), suppress(trio.BrokenResourceError):
        while True:
            await ws.send(b"x" * 1000)
            await trio.sleep(0.01)


# Faults


async def test_a_fault_in_one_connection_ends_it_alone(
    door: Any, monkeypatch: Any, capsys: Any
) -> None:
    def broken(*connection: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("tradeclear.gateway.door.server.Client", broken)
        assert await door.ask(GET) == b""
    assert "request_failed" in capsys.readouterr().out
    await door.assert_serving()


async def test_no_room_in_the_epoll_set(door: Any, monkeypatch: Any, capsys: Any) -> None:
    def full(*connection: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tradeclear.gateway.door.reactor.Reactor.serve", full)
        assert await door.ask(GET) == b""
    assert "No space left" in capsys.readouterr().out
    await door.assert_serving()


def names(heard: list[Any]) -> list[str]:
    assert [reply.status for reply in heard[:-1]] == [503] * 3
    return [reply.told["name"] for reply in heard[:-1]] + [heard[-1]["name"]]


async def test_a_failed_log(open_house: Any, start_door: Any, client_frame: Any) -> None:
    def fail(house: Any) -> None:
        house.log.broken = True

    heard: list[Any] = []
    with pytest.RaisesGroup(OSError, flatten_subgroups=True):
        await listen(heard, open_house, start_door, client_frame, fail)
    assert names(heard) == ["outcome_unknown"] * 4


class Quarantine:
    """Takes note of nothing."""

    def __len__(self) -> int:
        return 0

    def add(self, digest: bytes, *, seq: int, problem: str) -> None:
        assert "division" in problem


async def test_a_failed_engine(open_house: Any, start_door: Any, client_frame: Any) -> None:
    def fail(house: Any) -> None:
        house.engine.apply = lambda *command: 1 / 0
        house.partition._matcher._quarantine = Quarantine()

    heard: list[Any] = []
    with pytest.RaisesGroup(EngineFailed, flatten_subgroups=True):
        await listen(heard, open_house, start_door, client_frame, fail)
    assert names(heard) == ["outcome_unknown"] * 4


async def listen(
    heard: list[Any], open_house: Any, start_door: Any, client_frame: Any, fail: Any
) -> None:
    """Note what two HTTP clients and a WebSocket hear before the house falls down."""
    async with open_house() as house:
        with trio.CancelScope(shield=True):
            door = await start_door(house=house)
            first, second, ws = await door.connect(), await door.connect(), await door.socket()
            await second.send(post("before"))
            assert (await second.reply()).status == 201
            fail(house)
            await first.send(post("a") + post("b"))
            heard += [await first.reply(), await first.reply()]
            await second.send(post("later"))
            heard.append(await second.reply())
            await ws.send(client_frame(1, b'{"client_id":"A","side":"buy","price":1,"quantity":1}'))
            heard.append(await ws.told())
