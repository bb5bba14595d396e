"""What it takes to break the machine under a server."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .disk import Disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A tmpfs of 256 KiB. Skipped where nobody may mount."""
    if os.geteuid() != 0:
        pytest.skip("mounting a disk needs root")
    mount_point = tmp_path / "disk"
    mount_point.mkdir()
    disk = Disk(mount_point)
    try:
        disk.mount("size=256k")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine lets nobody mount: {error.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(mount_point)], check=True)
