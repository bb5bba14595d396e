"""The rule: it starts with an address, stops within its time, and serves within its limits."""

from functools import partial
from typing import Any

import pytest
import trio

from tradeclear.gateway.server import serve

SHORT_S = 0.3


async def test_over_http(server: Any, order: Any) -> None:
    async with server.http() as http:
        placed = await http.post("/orders", json=order(order_id="o"))
        assert (placed.status_code, placed.json()["order"]["status"]) == (201, "open")
        assert placed.headers["content-type"] == "application/json"
        assert "server" not in placed.headers
        read = await http.get("/orders/o")
        assert read.json() == placed.json()["order"]
        assert (await http.get("/docs")).headers["content-type"] == "text/html; charset=utf-8"


async def test_the_address_is_a_url(server: Any) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert server.port > 0


async def test_ipv6(house: Any) -> None:
    shutdown = trio.Event()
    run = partial(serve, house.app(), host="::1", port=0, shutdown=shutdown)
    async with trio.open_nursery() as nursery:
        url = await nursery.start(run)
        assert url.startswith("http://[::1]:")
        shutdown.set()


async def test_a_taken_address_is_an_error(server: Any, house: Any) -> None:
    with pytest.raises(OSError, match="in use"):
        await serve(house.app(), host="127.0.0.1", port=server.port, shutdown=trio.Event())


async def test_shutdown_answers_what_is_under_way(house: Any) -> None:
    begun, go_on = trio.Event(), trio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        begun.set()
        await go_on.wait()
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})

    shutdown = trio.Event()
    stopped = trio.Event()

    async def run(task_status: trio.TaskStatus[str]) -> None:
        await serve(slow, host="127.0.0.1", port=0, shutdown=shutdown, task_status=task_status)
        stopped.set()

    async with trio.open_nursery() as nursery:
        url = await nursery.start(run)
        connect = partial(trio.open_tcp_stream, "127.0.0.1", int(url.rpartition(":")[2]))
        async with await connect() as busy, await connect() as idle:
            await busy.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await begun.wait()
            shutdown.set()
            with trio.fail_after(2):
                assert await idle.receive_some(1) == b""
            with pytest.raises(OSError, match="connect"):
                await connect()
            go_on.set()
            data = b""
            with trio.fail_after(2):
                while more := await busy.receive_some(65536):
                    data += more
                await stopped.wait()
        assert data.endswith(b"done")


async def stall(port: int) -> trio.SocketStream:
    """A client that asks for much and reads nothing."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    stream.setsockopt(1, 8, 4096)  # SO_RCVBUF
    await stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return stream


async def flood(scope: Any, receive: Any, send: Any) -> None:
    """An app whose reply is larger than any buffer."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(100):
        await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})


async def test_a_stalled_client_does_not_hold_up_the_shutdown() -> None:
    shutdown = trio.Event()
    run = partial(
        serve,
        flood,
        host="127.0.0.1",
        port=0,
        shutdown=shutdown,
        shutdown_timeout_s=SHORT_S,
        write_timeout_s=60,
    )
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(run)
            stream = await stall(int(url.rpartition(":")[2]))
            await trio.sleep(0.1)
            shutdown.set()
    await stream.aclose()


async def test_a_stalled_client_does_not_hold_up_cancellation() -> None:
    run = partial(serve, flood, host="127.0.0.1", port=0, shutdown=trio.Event(), write_timeout_s=60)
    with trio.fail_after(2):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(run)
            stream = await stall(int(url.rpartition(":")[2]))
            await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
    await stream.aclose()


async def test_more_connections_than_allowed_are_turned_away(start_server: Any) -> None:
    server = await start_server(connections_max=2)
    first, second = await server.connect(), await server.connect()
    for stream in (first, second):
        await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await stream.receive_some(65536)).startswith(b"HTTP/1.1 200 ")
    reply = await server.exchange(b"")
    assert reply.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1" in reply
    assert b'"name":"overloaded"' in reply
    await first.aclose()
    with trio.fail_after(5):
        while not (await server.exchange(HEALTH)).startswith(b"HTTP/1.1 200 "):
            pass
    await second.aclose()


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def test_many_at_once(server: Any, order: Any, house: Any) -> None:
    statuses: list[int] = []

    async def one(number: int) -> None:
        async with server.http() as http:
            for index in range(10):
                reply = await http.post("/orders", json=order(order_id=f"{number}-{index}"))
                statuses.append(reply.status_code)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(one, number)
    assert statuses == [201] * 200
    assert house.engine.orders.open_count == 200
