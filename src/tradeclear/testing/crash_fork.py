"""Servers in a tenth of a second: a process that has everything imported, and forks them.

Python and its imports are nearly all that a start on a small log costs. A sweep over thousands of
crash points therefore forks its servers off a process that has loaded the exchange and run none of
it. From there on a forked server is one that was started: the same settings, the same program, its
own process group, exit code and log.

    python -m tradeclear.testing.crash_fork

is that process. It reads one `Start` a line, answers with the process id, waits for that process,
answers with its exit code, and reads the next.
"""

import ctypes
import gc
import importlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NoReturn

import msgspec
import trio
import typer
from msgspec import Struct

from tradeclear.config.load import load_settings
from tradeclear.config.settings import Settings
from tradeclear.testing.server import Server, ServerFailed, child_environment

PROGRAM: Final = "tradeclear.cli.serving"
"""What is run stands above this package: loaded by name, as `python -m tradeclear` would."""
PR_SET_PDEATHSIG: Final = 1
CRASHED: Final = 1


class Start(Struct, frozen=True, kw_only=True):
    """A server to start. `segment_bytes_max` may be less than the settings allow."""

    home: str
    wal_dir: str
    log: str
    environment: dict[str, str]
    segment_bytes_max: int


class ForkServer:
    """The harness's end: starts one server at a time."""

    def __init__(self, process: trio.Process, nursery: trio.Nursery) -> None:
        self._process: Final = process
        self._nursery: Final = nursery
        self._buffer = b""

    async def start(self, start: Start) -> "ForkedProcess":
        """Have it started. The one before must have ended, and been waited for."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(msgspec.json.encode(start) + b"\n")
        process = ForkedProcess(await self._number())
        self._nursery.start_soon(self._watch, process)
        return process

    async def _watch(self, process: "ForkedProcess") -> None:
        process.end(await self._number())

    async def _number(self) -> int:
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            data = await self._process.stdout.receive_some()
            if not data:
                raise ServerFailed(self._process.poll(), "the process that forks servers is gone")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return int(line)


@asynccontextmanager
async def fork_server(home: Path, environment: Mapping[str, str]) -> AsyncGenerator[ForkServer]:
    """Run one; `environment` must hold what has to be there when a process begins (LD_PRELOAD)."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", __name__],
        cwd=home,
        env=child_environment(home, environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        async with trio.open_nursery() as nursery:
            yield ForkServer(process, nursery)
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


class ForkedProcess:
    """A server that was forked: what `trio.Process` says of one that was started."""

    def __init__(self, pid: int) -> None:
        self.pid: Final = pid
        self._code: int | None = None
        self._ended: Final = trio.Event()

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._code

    async def wait(self) -> int:
        """Wait for it to end."""
        await self._ended.wait()
        assert self._code is not None
        return self._code

    def send_signal(self, number: signal.Signals | int) -> None:
        """Send a signal. It is not reaped before `poll` says so, so this hits nobody else."""
        if self._code is None:
            os.kill(self.pid, number)

    def end(self, code: int) -> None:
        """It has ended."""
        self._code = code
        self._ended.set()


class ForkedServer(Server):
    """A server that is forked. `more` is added to its environment at the next start."""

    def __init__(self, home: Path, forks: ForkServer, *, segment_bytes_max: int) -> None:
        super().__init__(home)
        self.more: Mapping[str, str] = {}
        self._forks: Final = forks
        self._segment_bytes_max: Final = segment_bytes_max

    async def spawn(self) -> None:
        """See `Server`."""
        assert self.process is None or self.process.poll() is not None, "it is running already"
        self.mark_log()
        self.process = await self._forks.start(
            Start(
                home=str(self.home),
                wal_dir=str(self.wal_dir),
                log=str(self.log),
                environment={**self.environment, **self.more},
                segment_bytes_max=self._segment_bytes_max,
            )
        )


# The other end


def main() -> None:
    """Fork servers until nobody asks any more."""
    serving = importlib.import_module(PROGRAM)
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, "a thread would not survive the fork"
    while line := _line():
        start = msgspec.json.decode(line, type=Start)
        pid = os.fork()
        if pid == 0:
            _serve(start, serving.serve_until_stopped)
        _tell(pid)
        _tell(_wait(pid))


def _line() -> bytes:
    """The next line, byte by byte: what was read ahead would look like silence to `_wait`."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return b""
        line += byte
    return line


def _wait(pid: int) -> int:
    """Its exit code. If whoever asks for servers goes away meanwhile, so does this one."""
    descriptor = os.pidfd_open(pid)
    try:
        if descriptor not in select.select([descriptor, 0], [], [])[0]:
            os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(descriptor)


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _serve(start: Start, serve: Callable[[Settings], None]) -> NoReturn:
    """Become the server; never returns."""
    code = CRASHED
    try:
        _end_with_parent()
        os.setsid()
        _redirect(start.log)
        os.chdir(start.home)
        os.environ.clear()
        os.environ.update(start.environment)
        code = _run(start, serve)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(start: Start, serve: Callable[[Settings], None]) -> int:
    settings = load_settings(None, port=0, wal_dir=start.wal_dir)
    settings = msgspec.structs.replace(settings, segment_bytes_max=start.segment_bytes_max)
    try:
        serve(settings)
    except typer.Exit as stopped:
        return stopped.exit_code
    return 0


def _redirect(log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _end_with_parent() -> None:
    """Only for a child of a thread that lives as long as its process."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
