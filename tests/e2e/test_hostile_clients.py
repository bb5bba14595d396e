"""The rule: who is slow, or too many, is cut off in bounded time, and the others are served.

A real server with short times, at both doors; `tests/gateway` holds each wait on its own. What
bounds these tests is patience (`trio.fail_after`), not a measurement.
"""

import socket
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tradeclear.testing.server import NO_RATE_LIMITS, Connection, Server, running_server

MANY = 50
PATIENCE_S = 20.0
DRIP_S = 0.2
WAIT_S = "1"
SHORT = {
    "TRADECLEAR_HEADER_TIMEOUT_S": WAIT_S,
    "TRADECLEAR_BODY_TIMEOUT_S": WAIT_S,
    "TRADECLEAR_WRITE_TIMEOUT_S": WAIT_S,
    "TRADECLEAR_KEEP_ALIVE_TIMEOUT_S": "60",
}
HEAD = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
SLOW = {
    "nothing": b"",
    "a head": b"POST /orders HTTP/1.1\r\nHost: x\r\nX: ",
    "a head of a cold route": b"GET /orderbook HTTP/1.1\r\nX: ",
    "a body": HEAD % b"/orders",
    "a body of a cold route": HEAD % b"/admin/snapshots",
    "chunks": b"POST /orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
}
"""How a request begins that then comes drop by drop."""


@pytest.fixture(params=["front door", "no front door"])
def door(request: pytest.FixtureRequest) -> dict[str, str]:
    """The setting of one door, then of the other."""
    return {"TRADECLEAR_FRONT_DOOR": "true" if request.param == "front door" else "false"}


@asynccontextmanager
async def serving(home: Path, *settings: dict[str, str]) -> AsyncGenerator[Server]:
    """A server that is as good as new afterwards: alive, without a fault in its log."""
    environment = {name: value for each in settings for name, value in each.items()}
    async with running_server(home / "server", environment=environment) as server:
        with trio.fail_after(PATIENCE_S):
            yield server
        assert not [mark for mark in (b"Traceback", b"request_failed") if mark in server.said()]


class Bystander:
    """A client with good manners: it places and reads orders from its own address."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.served = 0

    @classmethod
    @asynccontextmanager
    async def at(cls, server: Server) -> AsyncGenerator["Bystander"]:
        """One that is served as long as the block runs, and again at its end."""
        stream = await trio.open_tcp_stream(server.host, server.port, local_address="127.0.0.2")
        async with Connection(stream, "x") as connection, trio.open_nursery() as nursery:
            bystander = cls(connection)
            await bystander.trade()
            nursery.start_soon(bystander.go_on)
            yield bystander
            nursery.cancel_scope.cancel()
        assert bystander.served > 1
        async with await server.connect() as connection:
            assert (await connection.request("GET", "/healthz")).status == 200

    async def go_on(self) -> None:
        while True:
            await self.trade()

    async def trade(self) -> None:
        name = f"b-{self.served}"
        body = b'{"client_id":"b","order_id":"%b","side":"buy","price":1,"quantity":1}'
        placed = await self._connection.request("POST", "/orders", body % name.encode())
        shown = await self._connection.request("GET", f"/orders/{name}")
        assert (placed.status, shown.status) == (201, 200)
        self.served += 1


async def drip(stream: trio.SocketStream) -> None:
    """Send a byte now and then, for as long as anybody takes it."""
    try:
        while True:
            await stream.send_all(b"a")
            await trio.sleep(DRIP_S)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def rest(stream: trio.SocketStream) -> bytes:
    """All that comes until the server ends the connection."""
    data = b""
    try:
        while more := await stream.receive_some(65_536):
            data += more
    except trio.BrokenResourceError:
        pass
    return data


async def cut_off(server: Server, what: str, replies: Counter[tuple[str, bytes]]) -> None:
    """A client that is slow until it is cut off."""
    stream = await trio.open_tcp_stream(server.host, server.port)
    async with stream, trio.open_nursery() as nursery:
        await stream.send_all(SLOW[what])
        nursery.start_soon(drip, stream)
        replies[what, (await rest(stream))[:12]] += 1
        nursery.cancel_scope.cancel()


async def test_slow_senders(tmp_path: Path, door: dict[str, str]) -> None:
    """A client that says nothing sensible at all may be cut off without a word."""
    replies: Counter[tuple[str, bytes]] = Counter()
    async with (
        serving(tmp_path, NO_RATE_LIMITS, SHORT, door) as server,
        Bystander.at(server),
        trio.open_nursery() as nursery,
    ):
        for what in SLOW:
            for _ in range(MANY):
                nursery.start_soon(cut_off, server, what, replies)
    assert replies.total() == MANY * len(SLOW)
    assert {each for each in replies if each[0] != "nothing"} == {
        (what, b"HTTP/1.1 408") for what in SLOW if what != "nothing"
    }


READS = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
ORDER = b'{"client_id":"s","side":"buy","price":1,"quantity":1,"time_in_force":"ioc"}'
ORDERS = b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(ORDER), ORDER)


@pytest.mark.parametrize("request_bytes", [READS, ORDERS], ids=["reads", "orders"])
async def test_slow_readers(tmp_path: Path, door: dict[str, str], request_bytes: bytes) -> None:
    """Clients that ask on and on and never take an answer."""
    cut: list[int] = []

    async def ask_on(server: Server, number: int) -> None:
        sock = trio.socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await sock.connect((server.host, server.port))
        async with trio.SocketStream(sock) as stream:
            try:
                while True:
                    await stream.send_all(request_bytes * 100)
            except trio.BrokenResourceError:
                cut.append(number)

    async with (
        serving(tmp_path, NO_RATE_LIMITS, SHORT, door) as server,
        Bystander.at(server),
        trio.open_nursery() as nursery,
    ):
        for number in range(10):
            nursery.start_soon(ask_on, server, number)
    assert sorted(cut) == list(range(10))


async def test_a_flood_of_connections(tmp_path: Path, door: dict[str, str]) -> None:
    """More than `connections_max`: those over it are told 503 and go; then there is room again."""
    most, flood = 40, 200
    statuses: Counter[bytes] = Counter()
    settings = {"TRADECLEAR_CONNECTIONS_MAX": str(most), "TRADECLEAR_KEEP_ALIVE_TIMEOUT_S": "2"}

    async def stay(server: Server) -> None:
        async with await trio.open_tcp_stream(server.host, server.port) as stream:
            statuses[(await rest(stream))[:12]] += 1

    async with (
        serving(tmp_path, NO_RATE_LIMITS, SHORT, settings, door) as server,
        Bystander.at(server),
        trio.open_nursery() as nursery,
    ):
        for _ in range(flood):
            nursery.start_soon(stay, server)
    assert statuses.total() == flood
    assert statuses[b"HTTP/1.1 503"] >= flood - most
    assert set(statuses) <= {b"HTTP/1.1 503", b""}


async def test_a_flood_of_requests(tmp_path: Path, door: dict[str, str]) -> None:
    """Above the limit of an address: 429 with its remedy; another address doesn't notice."""
    settings = {
        "TRADECLEAR_RATE_LIMIT_ADDRESS_PER_S": "1",
        "TRADECLEAR_RATE_LIMIT_ADDRESS_BURST": "100",
    }
    statuses: Counter[int] = Counter()

    async def pour(server: Server) -> None:
        async with await server.connect() as connection:
            for _ in range(10):
                await connection.send(ORDERS * 10)
                for _ in range(10):
                    reply = await connection.receive()
                    statuses[reply.status] += 1
                    assert reply.status == 201 or int(reply.headers["retry-after"]) >= 1

    async with serving(tmp_path, settings, SHORT, door) as server:
        stream = await trio.open_tcp_stream(server.host, server.port, local_address="127.0.0.2")
        async with Connection(stream, "x") as connection, trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(pour, server)
            bystander = Bystander(connection)
            for _ in range(20):
                await bystander.trade()
    assert set(statuses) == {201, 429}
    assert statuses.total() == 400
