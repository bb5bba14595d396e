"""What a soak saw, stretch by stretch, and whether it stayed flat."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import median
from typing import Final

from msgspec import Struct, field

from tradeclear.testing.crash_report import Report
from tradeclear.testing.soak_plan import Plan
from tradeclear.testing.soak_vitals import MIB, Vital, Vitals

RESIDENT_GROWTH_MAX: Final = 0.10
DESCRIPTORS_GROWTH_MAX: Final = 0.10
THREADS_GROWTH_MAX: Final = 0.25
"""Trio keeps idle threads for 10 s, so that their number is a matter of chance."""

LOG_GROWTH_MAX: Final = 0.50
"""Segments go as wholes, and only after a snapshot: it moves up and down by as much."""

WARM_UP_SHARE: Final = 0.25
WARM_UP_COMMANDS: Final = 20_000
"""In this share of the stretches, and so many commands, tables, log and allocator fill."""

SAMPLES_A_LOOK: Final = 4

JUDGED_MIN: Final = 3
"""With fewer stretches after the warm-up nothing is said of growth."""


class Stretch(Struct, frozen=True, kw_only=True):
    """A minute, say. Waits are from the moment at which a request was due to its reply."""

    number: int
    requests: int
    acknowledged: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    resident_mib: float
    descriptors: int
    threads: int
    log_mib: float
    killed: bool
    ready_s: float
    """How long the start after the kill took."""

    @staticmethod
    def of(
        number: int,
        vitals: Vitals,
        waits_s: Sequence[float],
        acknowledged: int,
        *,
        killed: bool,
        ready_s: float,
    ) -> "Stretch":
        """What was seen of it."""
        sorted_s = sorted(waits_s)

        def ms(share: float) -> float:
            place = min(len(sorted_s) - 1, int(share * len(sorted_s)))
            return round(1_000 * sorted_s[place], 2) if sorted_s else 0.0

        return Stretch(
            number=number,
            requests=len(sorted_s),
            acknowledged=acknowledged,
            p50_ms=ms(0.5),
            p99_ms=ms(0.99),
            max_ms=ms(1),
            resident_mib=round(vitals.settled(lambda vital: vital.resident_bytes) / MIB, 1),
            descriptors=round(vitals.settled(lambda vital: vital.descriptors)),
            threads=round(vitals.settled(lambda vital: vital.threads)),
            log_mib=round(vitals.settled(lambda vital: vital.log_bytes) / MIB, 2),
            killed=killed,
            ready_s=round(ready_s, 2),
        )


class Growth(Struct, frozen=True, kw_only=True):
    """A quantity after the warm-up and at the end: medians of the first and the last third."""

    name: str
    early: float
    late: float
    growth: float
    growth_max: float

    @property
    def flat(self) -> bool:
        return self.growth <= self.growth_max


class Look(Struct, frozen=True, kw_only=True):
    """What the server held at a moment, in seconds of load; and the rate up to the next look."""

    at_s: float
    resident_mib: float
    descriptors: int
    threads: int
    acknowledged_per_s: float


class SoakReport(Struct, kw_only=True):
    """Everything. `crashes` has the kills, and what was compared, found lost or doubled."""

    plan: Plan
    stretches: list[Stretch] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    growths: list[Growth] = field(default_factory=list)
    stream_trades: int = 0
    stream_connections: int = 0
    crashes: Report = field(default_factory=Report)

    @property
    def good(self) -> bool:
        """Nothing lost, nothing doubled, nothing grown."""
        return not self.crashes.findings and all(growth.flat for growth in self.growths)


def looks(samples: Sequence[Vital], began_s: float) -> list[Look]:
    """The looks of a stretch that began at `began_s`; the last sample only ends the last rate."""
    some = samples[::SAMPLES_A_LOOK]
    return [
        Look(
            at_s=round(began_s + one.at_s, 1),
            resident_mib=round(one.resident_bytes / MIB, 1),
            descriptors=one.descriptors,
            threads=one.threads,
            acknowledged_per_s=round(
                (after.acknowledged - one.acknowledged) / (after.at_s - one.at_s), 1
            ),
        )
        for one, after in pairwise([*some, *samples[-1:]])
        if after.at_s > one.at_s
    ]


def growths(stretches: Sequence[Stretch]) -> list[Growth]:
    """How memory, descriptors, threads and log have grown; nothing if that can't be told yet."""
    sums = accumulate(stretch.acknowledged for stretch in stretches)
    filling = sum(acknowledged < WARM_UP_COMMANDS for acknowledged in sums)
    judged = stretches[max(1, filling, round(WARM_UP_SHARE * len(stretches))) :]
    if len(judged) < JUDGED_MIN:
        return []
    return [
        _growth("resident_mib", [each.resident_mib for each in judged], RESIDENT_GROWTH_MAX),
        _growth("descriptors", [each.descriptors for each in judged], DESCRIPTORS_GROWTH_MAX),
        _growth("threads", [each.threads for each in judged], THREADS_GROWTH_MAX),
        _growth("log_mib", [each.log_mib for each in judged], LOG_GROWTH_MAX),
    ]


def _growth(name: str, values: Sequence[float], growth_max: float) -> Growth:
    third = len(values) // 3
    early, late = median(values[:third]), median(values[-third:])
    growth = round(late / early - 1, 4) if early else 0.0
    return Growth(name=name, early=early, late=late, growth=growth, growth_max=growth_max)
