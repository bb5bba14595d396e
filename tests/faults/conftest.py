"""What it takes to break the machine under a server."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .disk import Disk, Ext4


@pytest.fixture
def mount_point(tmp_path: Path) -> Path:
    """A folder to mount a disk at. Skipped where only root may."""
    if os.geteuid() != 0:
        pytest.skip("mounting a disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def disk(mount_point: Path) -> Iterator[Disk]:
    """A tmpfs of 256 KiB. Skipped where nobody may mount."""
    disk = Disk(mount_point)
    try:
        disk.mount("size=256k")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine lets nobody mount: {error.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(mount_point)], check=True)


@pytest.fixture
def ext4(mount_point: Path, tmp_path: Path) -> Iterator[Ext4]:
    """An ext4 on a loop device. Skipped where it can't be had."""
    try:
        disk = Ext4(tmp_path / "disk.ext4", mount_point)
        disk.mount()
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", None) or str(error)
        pytest.skip(f"this machine has no ext4 on a loop device: {why.strip()}")
    try:
        if not disk.trigger().exists():
            pytest.skip("this kernel has no trigger_fs_error")
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(mount_point)], check=True)
