"""A real server process for tests and harnesses: started, killed and restarted on its own log.

Everything of one server lies in one folder, its *home*: `wal/` the log (unless it was put
elsewhere), `tradeclear.toml` the configuration if one was given, `server.log` what it said. The
child gets no environment but the one written here, so that a developer's settings change no test,
and no Redis of its own unless it is asked for.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import trio

NO_RATE_LIMITS: Final[Mapping[str, str]] = {
    "TRADECLEAR_RATE_LIMIT_CLIENT_PER_S": "0",
    "TRADECLEAR_RATE_LIMIT_ADDRESS_PER_S": "0",
    "TRADECLEAR_RATE_LIMIT_MARKET_PER_S": "0",
}
READY_S_MAX: Final = 30.0
STOP_S_MAX: Final = 30.0
CONNECT_S_MAX: Final = 10.0
POLL_S: Final = 0.005
LOG_TAIL_BYTES: Final = 4_000
RECEIVE_BYTES: Final = 65_536
REPLY_BYTES_MAX: Final = 64 * 1024 * 1024

_READY = re.compile(rb"ready on http://([^\s:/]+):(\d+)")


@asynccontextmanager
async def running_server(
    home: Path | None = None,
    *,
    wal_dir: Path | None = None,
    config: str | None = None,
    environment: Mapping[str, str] = NO_RATE_LIMITS,
    arguments: Sequence[str] = (),
) -> AsyncGenerator["Server"]:
    """A ready server in `home` (None: a temporary folder, removed unless the body raised).

    `wal_dir` is `home`/wal unless given; `config` is the text of its TOML file. Without rate limits
    unless `environment` says otherwise. The process is killed and reaped on the way out, also when
    cancelled; an exception of the body carries the end of the server's log as a note. Raises
    `ServerFailed` if it does not come up.
    """
    server = Server(
        home or Path(tempfile.mkdtemp(prefix="tradeclear-")),
        wal_dir=wal_dir,
        config=config,
        environment=environment,
        arguments=arguments,
    )
    try:
        await server.start()
        yield server
    except BaseException as error:
        error.add_note(f"The server's home is {server.home}; its log ends:\n{server.log_tail()}")
        raise
    else:
        if home is None:
            await server.kill()
            shutil.rmtree(server.home)
    finally:
        with trio.CancelScope(shield=True):
            await server.kill()


class Process(Protocol):
    """As much of `trio.Process` as a server's takes."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""

    async def wait(self) -> int:
        """Wait for it to end."""

    def send_signal(self, number: signal.Signals, /) -> None:
        """Send a signal."""


class Server:
    """A server process and its home. `host`, `port` and `pid` are those of the last start."""

    def __init__(
        self,
        home: Path,
        *,
        wal_dir: Path | None = None,
        config: str | None = None,
        environment: Mapping[str, str] = NO_RATE_LIMITS,
        arguments: Sequence[str] = (),
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.wal_dir = wal_dir or home / "wal"
        self.log = home / "server.log"
        self.host = ""
        self.port = 0
        self.arguments = list(arguments)
        self.environment = child_environment(home, environment)
        if config is not None:
            (home / "tradeclear.toml").write_text(config, encoding="utf-8")
            self.arguments += ["--config", str(home / "tradeclear.toml")]
        self.process: Process | None = None
        self._log_start = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server was never started"
        return self.process.pid

    async def start(self) -> None:
        """Start it and wait until it serves. Raises `ServerFailed` with what it said.

        Cancelled, it may have been started: `kill` ends it.
        """
        await self.spawn()
        await self.wait_ready()

    async def spawn(self) -> None:
        """Start the process, without waiting for it."""
        assert self.process is None or self.process.poll() is not None, "it is running already"
        command = [sys.executable, "-m", "tradeclear", "serve", "--host", "127.0.0.1"]
        command += ["--port", "0", "--wal-dir", str(self.wal_dir), *self.arguments]
        self.mark_log()
        with self.log.open("ab") as log:
            self.process = await trio.lowlevel.open_process(
                command,
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    async def wait_ready(self) -> None:
        """Wait until it has printed its address and /readyz says 200. Raises `ServerFailed`."""
        with trio.move_on_after(READY_S_MAX):
            while not (ready := _READY.search(self.said())):
                if (code := self._exit_code()) is not None:
                    raise ServerFailed(code, self.log_tail())
                await trio.sleep(POLL_S)
            self.host, self.port = ready[1].decode(), int(ready[2])
            while await self._ready_status() != 200:
                if (code := self._exit_code()) is not None:
                    raise ServerFailed(code, self.log_tail())
                await trio.sleep(POLL_S)
            return
        raise ServerFailed(None, self.log_tail())

    async def _ready_status(self) -> int:
        try:
            async with await self.connect() as connection:
                return (await connection.request("GET", "/readyz")).status
        except (ConnectionLost, OSError):
            return 0

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Does nothing to a process that has ended."""
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code (minus the signal's number if that ended it)."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        return await self.wait_exit()

    async def wait_exit(self) -> int:
        """The exit code of a process that is ending. Raises `trio.TooSlowError` if it is not."""
        assert self.process is not None, "the server was never started"
        with trio.fail_after(STOP_S_MAX):
            return await self.process.wait()

    async def restart(self) -> None:
        """Kill it if it runs, and start it again on the same log; maybe at another port."""
        await self.kill()
        await self.start()

    async def connect(self) -> "Connection":
        """A new connection to it. Raises `ConnectionLost`."""
        return await Connection.open(self.host, self.port)

    async def command(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run `tradeclear ARGUMENTS …` in the same environment, whatever its exit code."""
        return await trio.run_process(
            [sys.executable, "-m", "tradeclear", *arguments],
            cwd=self.home,
            env=self.environment,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )

    def mark_log(self) -> None:
        """`said` begins here."""
        with self.log.open("ab") as log:
            self._log_start = log.tell()

    def said(self) -> bytes:
        """Everything that it has printed since its last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()

    def log_tail(self) -> str:
        if not self.log.exists():
            return "(nothing)"
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace") or "(nothing)"

    def _exit_code(self) -> int | None:
        assert self.process is not None, "the server was never started"
        return self.process.poll()


class ServerFailed(Exception):
    """The server ended (or took too long) instead of serving. `code` None: it still ran."""

    def __init__(self, code: int | None, log_tail: str) -> None:
        how = "was not ready in time" if code is None else f"ended with code {code}"
        super().__init__(f"the server {how}; it said:\n{log_tail}")
        self.code = code


def child_environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """All that a child of ours may know of this machine, and `more`."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "TRADECLEAR_REDIS": "false",
        **more,
    }


class Reply(NamedTuple):
    """What came back. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, its numbers exact (int or Decimal)."""
        return json.loads(self.body, parse_float=Decimal)


class ConnectionLost(Exception):
    """The peer closed before a whole reply came: what became of the request is unknown."""


class Connection:
    """One HTTP/1.1 keep-alive connection, a request at a time; light enough to load a server."""

    def __init__(self, stream: trio.SocketStream, host: str) -> None:
        self.stream = stream
        self._host = host
        self._buffer = b""

    @classmethod
    async def open(cls, host: str, port: int) -> "Connection":
        """Connect. Raises `ConnectionLost` when nobody answers."""
        try:
            with trio.fail_after(CONNECT_S_MAX):
                stream = await trio.open_tcp_stream(host, port)
        except (OSError, trio.TooSlowError) as error:
            raise ConnectionLost(f"cannot connect to {host}:{port}: {error}") from error
        return cls(stream, f"{host}:{port}")

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stream.aclose()

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a request and wait for its reply. Raises `ConnectionLost`.

        Cancelled, the request may have been sent and the connection is of no further use.
        """
        await self.send(encode_request(method, path, self._host, body, headers or {}))
        return await self.receive()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises `ConnectionLost`."""
        try:
            await self.stream.send_all(data)
        except trio.BrokenResourceError as error:
            raise ConnectionLost(str(error)) from error

    async def receive(self) -> Reply:
        """The next reply. Raises `ConnectionLost`."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            await self._receive_more()
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        self._buffer = self._buffer[end + 4 :]
        if "chunked" in headers.get("transfer-encoding", ""):
            body = b"".join([chunk async for chunk in self._chunks()])
        else:
            body = await self._take(int(headers.get("content-length", "0")))
        return Reply(int(first.split(" ", 2)[1]), headers, body)

    async def _chunks(self) -> AsyncGenerator[bytes]:
        while True:
            while (end := self._buffer.find(b"\r\n")) < 0:
                await self._receive_more()
            count = int(self._buffer[:end].partition(b";")[0], 16)
            self._buffer = self._buffer[end + 2 :]
            chunk = (await self._take(count + 2))[:-2]
            if not count:
                return
            yield chunk

    async def _take(self, count: int) -> bytes:
        assert count <= REPLY_BYTES_MAX, f"a reply of {count} bytes"
        while len(self._buffer) < count:
            await self._receive_more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    async def _receive_more(self) -> None:
        try:
            data = await self.stream.receive_some(RECEIVE_BYTES)
        except trio.BrokenResourceError as error:
            raise ConnectionLost(str(error)) from error
        if not data:
            raise ConnectionLost("the server closed the connection")
        self._buffer += data


def encode_request(
    method: str, path: str, host: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """A request's bytes; a body is declared as JSON unless `headers` say otherwise."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    given = {name.lower() for name in headers or {}}
    if body and "content-type" not in given:
        lines.append("Content-Type: application/json")
    if body or method in ("POST", "PATCH", "PUT"):
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
