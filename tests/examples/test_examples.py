"""The rule: every example runs as it is, says what it does, and ends cleanly at Ctrl-C."""

import csv
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tradeclear.client import Client, open_client
from tradeclear.testing.server import Server, child_environment, running_server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECONDS_MAX = 60


class Program:
    """An example that runs."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.said = ""

    async def says(self, text: str) -> None:
        """Wait until it has printed `text`."""
        assert self.process.stdout is not None
        while text not in self.said:
            data = await self.process.stdout.receive_some()
            assert data, f"it ended, and said {self.said!r}, not {text!r}"
            self.said += data.decode()

    async def stop(self) -> str:
        """Ctrl-C; what it still says."""
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGINT)
        rest = b"".join([data async for data in self.process.stdout]).decode()
        assert await self.process.wait() == 0, rest
        assert "Traceback" not in rest
        return rest


@asynccontextmanager
async def running(server: Server, name: str, *arguments: str) -> AsyncGenerator[Program]:
    """An example with the server's URL, its errors among what it says; killed at the end."""
    process = await trio.lowlevel.open_process(
        [sys.executable, str(EXAMPLES / name), "--url", server.url, *arguments],
        cwd=server.home,
        env=child_environment(server.home, {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        with trio.fail_after(SECONDS_MAX):
            yield Program(process)
    finally:
        if process.poll() is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
        assert process.stdout is not None
        await process.stdout.aclose()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[Server]:
    async with running_server(tmp_path / "server") as running:
        yield running


@pytest.fixture
async def client(server: Server) -> AsyncGenerator[Client]:
    async with open_client(server.url) as opened:
        yield opened


async def test_depth_watcher(server: Server, client: Client) -> None:
    orders = client.orders("someone")
    await orders.place("buy", 1, 100)
    async with running(server, "depth_watcher.py", "--interval-ms", "50") as program:
        await program.says("bid 1 at 100  ask nothing")
        await orders.place("sell", 2, 101)
        await program.says("bid 1 at 100  ask 2 at 101")
        await program.stop()


async def test_trade_recorder_goes_on_where_its_file_ends(
    server: Server, client: Client, tmp_path: Path
) -> None:
    orders = client.orders("someone")
    file = tmp_path / "trades.csv"

    async def trade(count: int) -> None:
        """One command that makes `count` trades."""
        for _ in range(count):
            await orders.place("sell", 1, 100)
        await orders.place("buy", count, 100)

    await trade(2)
    async with running(server, "trade_recorder.py", "--out", str(file)) as program:
        await program.says("2: 1 at 100")
        await trade(1)
        await program.says("3: 1 at 100")
        await program.stop()
    await trade(3)
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])  # the machine stopped in the middle of a line
    async with running(server, "trade_recorder.py", "--out", str(file)) as program:
        await program.says("6: 1 at 100")
        assert "gap" not in program.said + await program.stop()
    with file.open(newline="") as text:
        recorded = [(int(row["trade_id"]), row["price"]) for row in csv.DictReader(text)]
    assert recorded == [(number, "100") for number in range(1, 7)]
    assert file.read_bytes().startswith(whole)


async def test_trade_recorder_mixes_no_exchanges(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "trades.csv"
    file.write_text("trade_id,sequence\n7,123456\n")
    async with running(server, "trade_recorder.py", "--out", str(file)) as program:
        await program.says("holds trades of another exchange")
        assert await program.process.wait() == 1


async def test_market_maker_quotes_fills_and_leaves_nothing_behind(
    server: Server, client: Client
) -> None:
    someone = client.orders("someone")
    arguments = ("--price", "100", "--spread", "2", "--quantity", "0.5")
    async with running(server, "market_maker.py", *arguments) as program:
        await program.says("buy 0.5 at 99")
        await program.says("sell 0.5 at 101")
        await someone.place("buy", 1)
        await program.says("filled -0.5 at 101, have -0.5")
        await program.says("sell 0.5 at 104.5")
        rest = await program.stop()
    assert "cancelled 2" in rest
    book = await client.market.orderbook()
    assert (book.bids, book.asks) == ((), ())


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
async def test_help(name: str) -> None:
    told = await trio.run_process(
        [sys.executable, str(EXAMPLES / name), "--help"], capture_stdout=True
    )
    assert b"--url" in told.stdout
