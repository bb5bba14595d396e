"""A small disk of its own: a tmpfs, which can be made larger or read-only."""

import subprocess
from pathlib import Path


class Disk:
    """Mounted at a folder, by root."""

    def __init__(self, mount_point: Path) -> None:
        self.mount_point = mount_point

    def mount(self, options: str) -> None:
        mount("-t", "tmpfs", "-o", options, "tmpfs", str(self.mount_point))

    def remount(self, options: str) -> None:
        mount("-o", f"remount,{options}", str(self.mount_point))


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
