"""What came of every order, and what can be said of all of them together."""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil

LOST = 0
"""No reply came: the connection broke, or the wait at the end was over."""

NOT_SENT = -1
"""No connection was free in time, and the order was given up (only if a time was set for that)."""

SHARES = (0.5, 0.9, 0.95, 0.99, 0.999, 0.9999)
NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class Samples:
    """One entry an order in each column: when it was due and sent, how long it took, its status.

    Times are nanoseconds from the start; the latency of a lost order is how long it was waited for.
    """

    due_ns: "array[int]" = field(default_factory=lambda: array("q"))
    sent_ns: "array[int]" = field(default_factory=lambda: array("q"))
    latency_ns: "array[int]" = field(default_factory=lambda: array("q"))
    status: "array[int]" = field(default_factory=lambda: array("h"))
    retry_after_missing: int = 0
    """Replies 429 and 503 that did not say when to come back."""

    cpu_s: float = 0.0
    """What the generator itself used."""

    busiest_share: float = 0.0
    """The greatest share of a core that one of its processes used; near 1 it was the limit."""

    def __len__(self) -> int:
        return len(self.due_ns)

    def extend(self, more: "Samples") -> None:
        """Add another process's orders."""
        self.due_ns.extend(more.due_ns)
        self.sent_ns.extend(more.sent_ns)
        self.latency_ns.extend(more.latency_ns)
        self.status.extend(more.status)
        self.retry_after_missing += more.retry_after_missing
        self.cpu_s += more.cpu_s
        self.busiest_share = max(self.busiest_share, more.busiest_share)

    def between(self, start_ns: int, end_ns: int) -> "Samples":
        """The orders that were due from `start_ns` until before `end_ns`."""
        return self._chosen([n for n, due in enumerate(self.due_ns) if start_ns <= due < end_ns])

    def after(self, start_ns: int) -> "Samples":
        """The orders that were due from `start_ns` on, their times counted from there."""
        chosen = self._chosen([n for n, due in enumerate(self.due_ns) if due >= start_ns])
        chosen.due_ns = array("q", (due - start_ns for due in chosen.due_ns))
        chosen.sent_ns = array("q", (sent - start_ns for sent in chosen.sent_ns))
        return chosen

    def _chosen(self, numbers: list[int]) -> "Samples":
        return Samples(
            array("q", (self.due_ns[n] for n in numbers)),
            array("q", (self.sent_ns[n] for n in numbers)),
            array("q", (self.latency_ns[n] for n in numbers)),
            array("h", (self.status[n] for n in numbers)),
            self.retry_after_missing,
            self.cpu_s,
            self.busiest_share,
        )

    def statuses(self) -> Counter[int]:
        """How many orders ended with each status."""
        return Counter(self.status)

    def accepted_ns(self) -> list[int]:
        """Latencies of the orders that were answered with success, ascending."""
        pairs = zip(self.latency_ns, self.status, strict=True)
        return sorted(latency for latency, status in pairs if 200 <= status < 300)

    def settled_ns(self) -> list[int]:
        """Latencies of all that were not turned away (429, 503), the lost ones too, ascending."""
        pairs = zip(self.latency_ns, self.status, strict=True)
        return sorted(latency for latency, status in pairs if status not in (429, 503, NOT_SENT))

    def lateness_ns(self) -> list[int]:
        """How long after its time each order was sent, ascending."""
        rows = zip(self.sent_ns, self.due_ns, self.status, strict=True)
        return sorted(sent - due for sent, due, status in rows if status != NOT_SENT)

    def failures(self) -> int:
        """Orders that were neither accepted nor turned away with 429 or 503."""
        return sum(n for status, n in self.statuses().items() if not _as_agreed(status))


def _as_agreed(status: int) -> bool:
    return 200 <= status < 300 or status in (429, 503, NOT_SENT)


def percentile(ascending: Sequence[int], share: float) -> int:
    """The least value that `share` of all are at or under (nearest rank). 0 of nothing."""
    if not ascending:
        return 0
    return ascending[max(0, ceil(share * len(ascending)) - 1)]


def percentile_name(share: float) -> str:
    """0.999 is p99.9."""
    return f"p{share * 100:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """What came of the orders that were due in one slice of time."""

    start_s: float
    seconds: float
    statuses: Counter[int]
    accepted_ns: list[int]

    def accepted_per_s(self) -> float:
        return len(self.accepted_ns) / self.seconds

    def turned_away_per_s(self) -> float:
        return sum(self.statuses[status] for status in (429, 503, NOT_SENT)) / self.seconds


def slices(samples: Samples, seconds: float) -> Iterator[Slice]:
    """The run in slices of `seconds`, by the time orders were due; empty ones are left out."""
    width = round(seconds * NS_PER_S)
    statuses: dict[int, Counter[int]] = {}
    latencies: dict[int, list[int]] = {}
    for due, latency, status in zip(
        samples.due_ns, samples.latency_ns, samples.status, strict=True
    ):
        number = due // width
        statuses.setdefault(number, Counter())[status] += 1
        if 200 <= status < 300:
            latencies.setdefault(number, []).append(latency)
    for number in sorted(statuses):
        yield Slice(
            start_s=number * seconds,
            seconds=seconds,
            statuses=statuses[number],
            accepted_ns=sorted(latencies.get(number, [])),
        )
