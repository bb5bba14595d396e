"""What a crash run did and found, with the denominators behind "nothing lost"."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Final

from tradeclear.testing.ledger import Finding

STOP_S_MAX: Final = 1.0
"""A process that was told of a broken disk has this long to end."""


@dataclass(slots=True)
class Report:
    """What was done and found. `acknowledged` is the denominator.

    `points` counts crash points and faults by what was done to which kind of call; `missed` are
    calls that a run did not come to.
    """

    logs: int = 0
    planned: int = 0
    points: dict[str, int] = field(default_factory=dict)
    missed: int = 0
    kills: int = 0
    recovery_kills: int = 0
    stops: int = 0
    faults: int = 0
    fatal_faults: int = 0
    acknowledged_after_fault: int = 0
    stop_s_max: float = 0.0
    rotations: int = 0
    snapshots: int = 0
    acknowledged: int = 0
    retried: int = 0
    repeated: int = 0
    trades: int = 0
    orders_compared: int = 0
    hashes_compared: int = 0
    logs_verified: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing is wrong, and every stop was fast enough."""
        return not self.findings and self.stop_s_max <= STOP_S_MAX

    def count(self, kind: str) -> int:
        """How many findings are of this kind."""
        return sum(finding.kind == kind for finding in self.findings)

    def count_point(self, what: str, kind: str) -> None:
        """Note that `what` was done to a call of `kind`."""
        name = f"{what} {kind}"
        self.points[name] = self.points.get(name, 0) + 1

    def place(self, first: int, where: str) -> bool:
        """Say where the findings from number `first` on were made; whether there are any."""
        self.findings[first:] = [
            Finding(each.kind, f"{where}: {each.text}") for each in self.findings[first:]
        ]
        return len(self.findings) > first


def total(reports: Iterable[Report]) -> Report:
    """All of them as one; the longest of stops and of times."""
    whole = Report()
    for report in reports:
        for each in fields(Report):
            mine, other = getattr(whole, each.name), getattr(report, each.name)
            setattr(whole, each.name, _joined(each.name, mine, other))
    return whole


def _joined(name: str, mine: object, other: object) -> object:
    match mine, other:
        case dict(), dict():
            return dict(sorted((Counter(mine) + Counter(other)).items()))
        case list(), list():
            return mine + other
        case float(), float():
            return max(mine, other)
        case int(), int():
            return mine + other
    raise AssertionError(name)
