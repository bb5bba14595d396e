"""A wall clock that jumps on order, for one process and its children: see shim_clock.c."""

import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tradeclear.testing.shim_library import library

SOURCE: Final = Path(__file__).with_name("shim_clock.c")
OFFSET: Final = struct.Struct("q")
NS_PER_S: Final = 1_000_000_000


class WallClock:
    """Right until it is set. `file` holds the offset; raises `ShimUnavailable`."""

    def __init__(self, file: Path) -> None:
        file.write_bytes(bytes(OFFSET.size))
        with file.open("r+b") as opened:
            self._map: Final = mmap.mmap(opened.fileno(), OFFSET.size)
        self.environment: Final[Mapping[str, str]] = {
            "LD_PRELOAD": str(library(SOURCE)),
            "CLOCK_OFFSET": str(file),
        }

    def jump_to(self, offset_s: float) -> None:
        """Be off by so many seconds from now on."""
        self._map[:] = OFFSET.pack(round(offset_s * NS_PER_S))
