"""A directory that can't be had is a wrong setting; a disk that fails is a disk to be mended."""

import errno
import os
from pathlib import Path

import pytest

from tradeclear.config.load import SettingsError
from tradeclear.config.settings import Settings
from tradeclear.supervisor.supervisor import run
from tradeclear.wal.errors import LogFailed


async def start(wal_dir: Path) -> None:
    await run(Settings(port=0, wal_dir=str(wal_dir)), ready=lambda address: None)


async def test_a_directory_that_cannot_be_made_is_a_wrong_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that is meant to be read-only."""

    def failing(*_arguments: object, **_keywords: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", failing)
    with pytest.raises(SettingsError, match=r"^wal_dir: .*Read-only file system"):
        await start(tmp_path / "wal")


async def test_a_directory_without_a_parent_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^wal_dir: .*No such file or directory"):
        await start(tmp_path / "nowhere" / "wal")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.ENOSPC, errno.EDQUOT])
async def test_a_disk_that_fails_is_no_wrong_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(LogFailed, match=f"^wal_dir: .*{os.strerror(number)}"):
        await start(tmp_path / "wal")
