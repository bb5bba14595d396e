"""The resident memory of another process, over time."""

from pathlib import Path
from typing import Final

import trio

SAMPLE_S: Final = 0.5
SAMPLES_MAX: Final = 100_000
PAGE_BYTES: Final = 4_096
MIB: Final = 1_048_576


class Memory:
    """Samples of a process's resident bytes, while `run` runs."""

    def __init__(self, pid: int) -> None:
        self._statm: Final = Path(f"/proc/{pid}/statm")
        self.samples: Final[list[int]] = []

    async def run(self) -> None:
        """Go on until cancelled, or until the process is gone."""
        while len(self.samples) < SAMPLES_MAX and (resident := self._resident()):
            self.samples.append(resident)
            await trio.sleep(SAMPLE_S)

    def _resident(self) -> int:
        try:
            return int(self._statm.read_text().split()[1]) * PAGE_BYTES
        except (OSError, IndexError):
            return 0

    def mib(self, share: float) -> float:
        """The sample that stands at this share of the time."""
        if not self.samples:
            return 0.0
        return round(
            self.samples[min(int(share * len(self.samples)), len(self.samples) - 1)] / MIB, 1
        )

    @property
    def mib_max(self) -> float:
        """The most that was seen."""
        return round(max(self.samples, default=0) / MIB, 1)
