"""What a figure depends on: the machine, its disk, the versions, and what else was running."""

import os
import platform
import re
from pathlib import Path

PROC = Path("/proc")


def description(folder: Path | None = None) -> dict[str, str]:
    """The machine in words; with `folder`, also the disk that it lies on."""
    words = {
        "Processor": f"{len(os.sched_getaffinity(0))} × {processor()}",
        "Memory": f"{memory_bytes() / 2**30:.1f} GiB",
        "System": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Load before": f"{os.getloadavg()[0]:.2f} (average of a minute)",
    }
    if folder is not None:
        words["Disk"] = disk(folder)
    return words


def processor() -> str:
    found = re.search(r"model name\s*: (.*)", _read(PROC / "cpuinfo"))
    return found[1] if found else platform.machine()


def memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def disk(folder: Path) -> str:
    """File system, device, and whether the kernel takes it for a rotating one."""
    device, _, kind = max(_mounts(folder), key=lambda mount: len(mount[1]))
    words = [kind, f"on {device}"]
    number = os.stat(folder).st_dev
    block = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    for place in (block, block.parent):  # a partition's queue is its disk's
        if flag := _read(place / "queue/rotational").strip():
            words.append("rotating" if flag == "1" else "not rotating")
            words.append(
                {"write back": "volatile write cache", "write through": "no write cache"}.get(
                    _read(place / "queue/write_cache").strip(), ""
                )
            )
            break
    return ", ".join(filter(None, words))


def _mounts(folder: Path) -> list[tuple[str, str, str]]:
    """Device, place and kind of every file system that `folder` lies under."""
    rows = [line.split()[:3] for line in _read(PROC / "mounts").splitlines()]
    there = folder.resolve()
    return [(row[0], row[1], row[2]) for row in rows if there.is_relative_to(row[1])]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
