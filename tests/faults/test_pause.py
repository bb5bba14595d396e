"""The rule: a process that was stopped still owns its directory, and goes on as if nothing was."""

import signal
from pathlib import Path

import pytest
import trio

from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.testing.server import Server, ServerFailed, running_server

from .trader import Trader


async def test_nobody_takes_over_from_a_stopped_process(tmp_path: Path) -> None:
    async with running_server(tmp_path / "home") as server:
        trader = Trader(server)
        await trader.trade(50)
        async with await server.connect() as connection, trio.open_nursery() as nursery:
            assert server.process is not None
            server.process.send_signal(signal.SIGSTOP)
            nursery.start_soon(trader.request, connection)  # waits for the one that is stopped
            second = Server(tmp_path / "second", wal_dir=server.wal_dir)
            with pytest.raises(ServerFailed) as refused:
                await second.start()
            assert refused.value.code == ExitCode.LOCKED
            assert str(server.pid) in second.log_tail() or "another process" in second.log_tail()
            repair = await second.command("wal", "repair", str(server.wal_dir))
            assert repair.returncode == ExitCode.LOCKED, repair
            server.process.send_signal(signal.SIGCONT)
        await trader.trade(50)
        await trader.compare()
        await server.restart()
        await trader.compare()
