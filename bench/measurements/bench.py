"""One run of the measurements: how much effort, where the logs go, how it says what it is doing."""

import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long and how often. `FULL` is what is published, `QUICK` shows that it runs."""

    quick: bool
    rounds: int
    seconds: float
    warm_up_s: float
    fixed_rate_seconds: float
    resting_orders: int
    keys: int
    replayed_records: int
    overload_seconds: float
    idle_orders: int


FULL = Effort(
    quick=False,
    rounds=5,
    seconds=6,
    warm_up_s=1,
    fixed_rate_seconds=60,
    resting_orders=1_000_000,
    keys=1_000_000,
    replayed_records=500_000,
    overload_seconds=60,
    idle_orders=400,
)
QUICK = Effort(
    quick=True,
    rounds=2,
    seconds=2,
    warm_up_s=0.5,
    fixed_rate_seconds=5,
    resting_orders=50_000,
    keys=50_000,
    replayed_records=50_000,
    overload_seconds=8,
    idle_orders=100,
)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """`folder` lies on the disk whose speed counts, and is this run's own."""

    effort: Effort
    folder: Path

    def say(self, words: str) -> None:
        """Tell whoever waits what is going on."""
        print(f"  {words}", file=sys.stderr, flush=True)

    @contextmanager
    def home(self, name: str) -> Iterator[Path]:
        """A fresh folder, gone afterwards."""
        home = Path(mkdtemp(prefix=f"{name}-", dir=self.folder))
        try:
            yield home
        finally:
            rmtree(home, ignore_errors=True)

    async def interleaved(
        self,
        contenders: Mapping[str, Callable[[], Awaitable[T]]],
        shown: Callable[[T], str] = str,
    ) -> dict[str, list[T]]:
        """Every contender in turn, round after round, so that all see the same machine."""
        results: dict[str, list[T]] = {name: [] for name in contenders}
        for number in range(1, self.effort.rounds + 1):
            for name, run in contenders.items():
                result = await run()
                results[name].append(result)
                self.say(f"round {number} of {self.effort.rounds}: {name}: {shown(result)}")
        return results
