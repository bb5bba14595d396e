"""The rule: a signal that comes while it is ending anyway changes neither exit code nor words."""

import resource
import signal
from pathlib import Path

import pytest
import trio

from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.testing.server import NO_RATE_LIMITS, Server, running_server

from .trader import Trader

SLOW_END = """
import os, time
from tradeclear.wal.log import Log

close = Log.close

def close_slowly(log):
    open(os.environ["HOME"] + "/ending", "w").close()
    time.sleep(0.3)
    close(log)

Log.close = close_slowly
"""
WAIT_S_MAX = 30
REQUESTS_MAX = 5_000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_after_the_log_has_failed(tmp_path: Path, number: signal.Signals) -> None:
    async with running_server(tmp_path / "home", environment=slow_end(tmp_path)) as server:
        trader = Trader(server)
        await trader.trade(20)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (32_768, 32_768))
        await trader.trade_until_lost(REQUESTS_MAX)
        await ending(server)
        assert await server.end(number) == ExitCode.LOG_FAILED


async def test_signal_at_the_end_of_an_orderly_stop(tmp_path: Path) -> None:
    async with running_server(tmp_path / "home", environment=slow_end(tmp_path)) as server:
        await Trader(server).trade(20)
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        await ending(server)
        assert await server.end(signal.SIGTERM) == ExitCode.OK


def slow_end(folder: Path) -> dict[str, str]:
    """The environment of a server that takes its time to let go of the log."""
    (folder / "sitecustomize.py").write_text(SLOW_END)
    return {**NO_RATE_LIMITS, "PYTHONPATH": str(folder)}


async def ending(server: Server) -> None:
    """Wait until it is letting go of the log."""
    with trio.fail_after(WAIT_S_MAX):
        while not (server.home / "ending").exists():  # noqa: ASYNC110 - another process
            await trio.sleep(0.01)
