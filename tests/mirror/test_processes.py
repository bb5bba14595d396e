"""The rule: exchange, its own Redis and a depth reader, each a process, each may go and come."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from trio_websocket import open_websocket_url

from tradeclear.mirror.embedded import find_server
from tradeclear.testing.redis_server import RedisServer
from tradeclear.testing.server import NO_RATE_LIMITS, Connection, Server, running_server

OWN_REDIS = {**NO_RATE_LIMITS, "TRADECLEAR_REDIS": "true"}
WAIT_S_MAX = 30.0
READER_READY = re.compile(rb"ready on http://([^\s:/]+):(\d+)")


async def parts(server: Server) -> dict[str, str]:
    """What /readyz says."""
    async with await server.connect() as connection:
        found: dict[str, str] = (await connection.request("GET", "/readyz")).json()["parts"]
        return found


async def redis_url(server: Server) -> str:
    """That of the server's own Redis, once it is mirrored to."""
    return (await parts_when(server, "current"))["redis"]


async def parts_when(server: Server, mirror: str) -> dict[str, str]:
    """What /readyz says when it says of the mirror what begins with `mirror`."""
    with trio.fail_after(WAIT_S_MAX):
        while True:
            found = await parts(server)
            if found.get("mirror", "").startswith(mirror):
                return found
            await trio.sleep(0.005)


async def place(server: Server, side: str, price: str, quantity: str) -> None:
    body = f'{{"client_id":"a","side":"{side}","price":{price},"quantity":{quantity}}}'
    async with await server.connect() as connection:
        assert (await connection.request("POST", "/orders", body.encode())).status == 201


@asynccontextmanager
async def running_reader(server: Server, url: str) -> AsyncGenerator[tuple[str, int]]:
    """`tradeclear depth-reader`; gives its address."""
    command = [sys.executable, "-m", "tradeclear", "depth-reader", "--port", "0"]
    process = await trio.lowlevel.open_process(
        [*command, "--redis-url", url],
        cwd=server.home,
        env=server.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = b""
    try:
        with trio.fail_after(WAIT_S_MAX):
            while not (ready := READER_READY.search(said)):
                said += await process.stdout.receive_some()
        yield ready[1].decode(), int(ready[2])
        process.send_signal(signal.SIGTERM)
        with trio.fail_after(WAIT_S_MAX):
            assert await process.wait() == 0
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()


async def test_a_reader_shows_what_the_exchange_shows_and_says_when_it_can_not() -> None:
    async with running_server(environment=OWN_REDIS) as server:
        await place(server, "buy", "100.51", "0.25")
        await place(server, "buy", "100.5", "0.25")
        await place(server, "sell", "101", "0.25")
        url = await redis_url(server)
        async with (
            running_reader(server, url) as (host, port),
            await server.connect() as exchange,
            await Connection.open(host, port) as reader,
        ):
            expected = (await exchange.request("GET", "/orderbook?levels=1000")).json()
            shown = await until(reader, 200)
            age_s = shown.pop("age_s")
            assert (shown, age_s < 5) == (expected, True)
            assert redis_cli(url, "ZRANGE", "tradeclear:BTC-USD:bids", "0", "9", "WITHSCORES")[
                ::2
            ] == ["100.51:0.25:1", "100.5:0.25:1"]
            async with open_websocket_url(f"ws://{host}:{port}/ws/depth") as websocket:
                assert await websocket.get_message() == (
                    '{"bids":[[100.51,0.25],[100.5,0.25]],"asks":[[101,0.25]]}'
                )
                await place(server, "sell", "100.51", "0.25")
                assert await websocket.get_message() == '{"bids":[[100.51,0]],"asks":[]}'
            await server.end(signal.SIGTERM)
            told = await until(reader, 503)
            assert told["name"] == "copy_unavailable"


async def until(reader: Connection, status: int) -> Any:
    """What the reader says once it says it with `status`."""
    with trio.fail_after(WAIT_S_MAX):
        while True:
            reply = await reader.request("GET", "/orderbook?levels=1000")
            if reply.status == status:
                return reply.json()
            await trio.sleep(0.01)


def redis_cli(url: str, *command: str) -> list[str]:
    """What `redis-cli` shows, in words."""
    program = find_server()
    assert program is not None
    cli = program.with_name("redis-cli")
    done = subprocess.run(
        [cli, "-s", url.removeprefix("unix://"), *command], capture_output=True, check=True
    )
    return done.stdout.decode().split()


async def test_its_own_redis_is_started_again_and_filled_again() -> None:
    async with running_server(environment=OWN_REDIS) as server:
        await place(server, "buy", "100", "1")
        url = await redis_url(server)
        os.kill(redis_pid(server), signal.SIGKILL)
        await parts_when(server, "down: ")
        assert await redis_url(server) == url
        assert redis_cli(url, "ZRANGE", "tradeclear:BTC-USD:bids", "0", "-1") == ["100:1:1"]


def redis_pid(server: Server) -> int:
    """That of its child."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for child in children:
        if b"redis-server" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError(f"no redis-server among {children}")


async def test_nothing_of_it_outlives_an_exchange_that_is_killed() -> None:
    async with running_server(environment=OWN_REDIS) as server:
        await redis_url(server)
        child = os.pidfd_open(redis_pid(server))
        try:
            await server.kill()
            with trio.fail_after(WAIT_S_MAX):
                await trio.lowlevel.wait_readable(child)
        finally:
            os.close(child)


async def test_without_redis_it_runs_and_says_so(tmp_path: Path) -> None:
    async with running_server(tmp_path, environment=OWN_REDIS, arguments=["--no-redis"]) as server:
        await place(server, "buy", "100", "1")
        found = await parts(server)
        assert (found["redis"], "mirror" in found) == ("off", False)


async def test_a_redis_that_is_not_there_keeps_nobody_waiting(tmp_path: Path) -> None:
    environment = {**OWN_REDIS, "REDIS_URL": "redis://:secret@127.0.0.1:1/0"}
    async with running_server(tmp_path, environment=environment) as server:
        await place(server, "buy", "100", "1")
        found = await parts_when(server, "down: ")
        assert found["redis"] == "redis://127.0.0.1:1/0"
        assert await server.end(signal.SIGTERM) == 0
        assert b"secret" not in server.log.read_bytes()


async def test_a_hung_redis_does_not_hold_up_the_end(redis: RedisServer, tmp_path: Path) -> None:
    environment = {**OWN_REDIS, "REDIS_URL": redis.url}
    async with running_server(tmp_path, environment=environment) as server:
        await parts_when(server, "current")
        redis.pause()
        await place(server, "buy", "100", "1")
        assert await server.end(signal.SIGTERM) == 0
    redis.go_on()
