"""Disks of their own, small, to break: a tmpfs, and an ext4 that has an error of its own."""

import subprocess
from pathlib import Path


class Disk:
    """A tmpfs, mounted at a folder, by root: it can be made larger or read-only."""

    def __init__(self, mount_point: Path) -> None:
        self.mount_point = mount_point

    def mount(self, options: str) -> None:
        run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.mount_point))

    def remount(self, options: str) -> None:
        run("mount", "-o", f"remount,{options}", str(self.mount_point))


class Ext4:
    """An ext4 in a file. The kernel remounts it read-only on its first error, under whoever writes.

    `mount -o remount,ro` refuses as long as a file is open for writing; this doesn't ask.
    """

    def __init__(self, image: Path, mount_point: Path) -> None:
        self.mount_point = mount_point
        self._image = image
        with image.open("wb") as file:
            file.truncate(32 * 1024 * 1024)
        run("mkfs.ext4", "-q", str(image))

    def mount(self) -> None:
        run("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.mount_point))

    def trigger(self) -> Path:
        """Whatever is written here, the kernel has found an error, and the disk is read-only."""
        source = run("findmnt", "-no", "SOURCE", str(self.mount_point)).strip()
        return Path("/sys/fs/ext4", Path(source).name, "trigger_fs_error")

    def mend(self) -> None:
        """What an operator does: unmount, check, mount."""
        run("umount", str(self.mount_point))
        run("e2fsck", "-fy", str(self._image), expect=(0, 1))
        self.mount()


def run(*command: str, expect: tuple[int, ...] = (0,)) -> str:
    """What the command says. Raises `CalledProcessError` when it exits with another code."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in expect:
        raise subprocess.CalledProcessError(
            done.returncode, command, output=done.stdout, stderr=done.stderr
        )
    return done.stdout
