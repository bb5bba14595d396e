"""The rule: a full, read-only or limited disk stops the exchange; mended, nothing is gone."""

import resource
from contextlib import suppress
from pathlib import Path

import pytest

from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.testing.server import ServerFailed, running_server

from .disk import Disk, Ext4
from .trader import Trader

REQUESTS_MAX = 5_000


async def test_disk_full_and_freed(disk: Disk, tmp_path: Path) -> None:
    async with running_server(tmp_path / "home", wal_dir=disk.mount_point / "wal") as server:
        trader = Trader(server)
        await trader.trade_until_lost(REQUESTS_MAX)
        assert await server.wait_exit() == ExitCode.LOG_FAILED
        assert b"No space left on device" in server.said()
        assert trader.acknowledged > 100

        # Still full: whether it gets as far as serving or not, it ends the same way.
        with suppress(ServerFailed):
            await server.start()
            await trader.trade_until_lost(REQUESTS_MAX)
        assert await server.wait_exit() == ExitCode.LOG_FAILED

        disk.remount("size=16m")
        await server.start()
        await trader.compare()
        await trader.trade(100)
        await trader.compare()


async def test_a_read_only_disk_is_refused_and_said(disk: Disk, tmp_path: Path) -> None:
    async with running_server(tmp_path / "home", wal_dir=disk.mount_point / "wal") as server:
        trader = Trader(server)
        await trader.trade(50)
        await server.kill()
        disk.remount("ro")
        with pytest.raises(ServerFailed) as refused:
            await server.start()
        assert refused.value.code == ExitCode.LOG_FAILED
        assert "Read-only file system" in server.log_tail()
        disk.remount("rw")
        await server.start()
        await trader.compare()


async def test_a_disk_that_turns_read_only(ext4: Ext4, tmp_path: Path) -> None:
    """As under a kernel that has found an error, with the log open.

    It finds it between two commits: during one, ext4 of Linux 6.18 now and then reports a sync that
    was none (one run of 40, by a program that only writes and syncs), and nobody can know better.
    """
    async with running_server(tmp_path / "home", wal_dir=ext4.mount_point / "wal") as server:
        trader = Trader(server)
        await trader.trade(100)
        ext4.trigger().write_text("an error")
        await trader.trade_until_lost(REQUESTS_MAX)
        assert await server.wait_exit() == ExitCode.LOG_FAILED
        said = server.said()  # the kernel chooses: in the middle of a write it is EIO
        assert b"Read-only file system" in said or b"Input/output error" in said

        with pytest.raises(ServerFailed) as refused:
            await server.start()
        assert refused.value.code == ExitCode.LOG_FAILED

        ext4.mend()
        await server.start()
        await trader.compare()
        await trader.trade(100)
        await trader.compare()


async def test_a_file_size_limit_ends_it_like_a_full_disk(tmp_path: Path) -> None:
    async with running_server(tmp_path / "home") as server:
        trader = Trader(server)
        await trader.trade(20)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (65_536, 65_536))
        await trader.trade_until_lost(REQUESTS_MAX)
        assert await server.wait_exit() == ExitCode.LOG_FAILED
        await server.start()
        await trader.compare()
