"""An exchange of our own to load: `tradeclear serve` in a temporary folder, stopped afterwards."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_S_MAX = 60.0
STOP_S_MAX = 60.0

LIMITS_ON = {
    "TRADECLEAR_RATE_LIMIT_CLIENT_PER_S": "1000000",
    "TRADECLEAR_RATE_LIMIT_CLIENT_BURST": "1000000",
    "TRADECLEAR_RATE_LIMIT_ADDRESS_PER_S": "10000000",
    "TRADECLEAR_RATE_LIMIT_ADDRESS_BURST": "10000000",
}
"""One generator on one address is no crowd of clients: the limits are kept, and set above it."""

_ready = re.compile(r"tradeclear is ready on http://([^\s:/]+):(\d+)")


@dataclass(frozen=True, slots=True)
class OwnExchange:
    """Where it listens and keeps its log."""

    host: str
    port: int
    pid: int
    wal_dir: Path
    words: str


@contextmanager
def own_exchange(wal_dir: Path | None = None) -> Iterator[OwnExchange]:
    """A ready exchange; its log goes with it unless `wal_dir` says where to put it."""
    home = Path(tempfile.mkdtemp(prefix="tradeclear-load-"))
    log_dir = (home / "wal" if wal_dir is None else wal_dir).resolve()
    said = home / "server.log"
    command = [sys.executable, "-m", "tradeclear", "serve", "--port", "0"]
    with said.open("wb") as out:
        server = subprocess.Popen(
            [*command, "--wal-dir", str(log_dir)],
            cwd=home,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **LIMITS_ON},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        host, port = _wait_ready(server, said)
        words = "its own, started for this; rate limits set high, order log on"
        yield OwnExchange(host, port, server.pid, log_dir, words)
        server.send_signal(signal.SIGTERM)
        server.wait(STOP_S_MAX)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(home, ignore_errors=True)


def _wait_ready(server: "subprocess.Popen[bytes]", said: Path) -> tuple[str, int]:
    """Follow what it says until it is ready. Raises `ConnectionError` with its last words."""
    waited_s = 0.0
    while waited_s < READY_S_MAX:
        if found := _ready.search(said.read_text(encoding="utf-8", errors="replace")):
            return found[1], int(found[2])
        try:
            server.wait(0.05)
        except subprocess.TimeoutExpired:
            waited_s += 0.05
        else:
            break
    tail = said.read_text(encoding="utf-8", errors="replace")[-2_000:]
    raise ConnectionError(f"the exchange did not start; it said:\n{tail}")
