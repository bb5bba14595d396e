"""The result of a run: a page for people, a summary for programs, a plot of latency over time."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.plan import Plan
from loadtest.samples import (
    LOST,
    NOT_SENT,
    SHARES,
    Samples,
    percentile,
    percentile_name,
    slices,
)
from tradeclear.testing.plots.charts import Panel, Series, line_chart

POINTS = 240
NS_PER_MS = 1e6
GENERATOR_SHARE_MAX = 0.9
GENERATOR_LATE_MS_MAX = 1.0


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run. Latencies in milliseconds, of all orders that were not turned away."""

    plan: Plan
    conditions: Mapping[str, str]
    orders: int
    accepted_per_s: float
    latency_ms: dict[str, float]
    late_ms: dict[str, float]
    statuses: dict[int, int]
    failures: int
    retry_after_missing: int
    generator_cpu_s: float
    generator_busiest: float

    def to_json(self) -> str:
        """For programs."""
        names: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({**names, "plan": json.loads(self.plan.to_json())}, indent=2) + "\n"


def summarise(plan: Plan, samples: Samples, conditions: Mapping[str, str]) -> Summary:
    settled = samples.settled_ns()
    late = samples.lateness_ns()
    accepted = len(samples.accepted_ns())
    latency = {percentile_name(share): percentile(settled, share) / NS_PER_MS for share in SHARES}
    return Summary(
        plan=plan,
        conditions=conditions,
        orders=len(samples),
        accepted_per_s=accepted / plan.seconds,
        latency_ms={**latency, "max": percentile(settled, 1.0) / NS_PER_MS},
        late_ms={"p99": percentile(late, 0.99) / NS_PER_MS, "max": percentile(late, 1) / NS_PER_MS},
        statuses=dict(sorted(samples.statuses().items())),
        failures=samples.failures(),
        retry_after_missing=samples.retry_after_missing,
        generator_cpu_s=samples.cpu_s,
        generator_busiest=samples.busiest_share,
    )


def write_report(folder: Path, summary: Summary, samples: Samples) -> Path:
    """Write report.md, summary.json and latency.svg into `folder`. Returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latency.svg").write_text(latency_plot(summary.plan, samples), encoding="utf-8")
    (folder / "summary.json").write_text(summary.to_json(), encoding="utf-8")
    page = folder / "report.md"
    page.write_text(report_page(summary), encoding="utf-8")
    return page


def latency_plot(plan: Plan, samples: Samples, bands: Sequence[tuple[float, float]] = ()) -> str:
    """SVG: percentiles in slices of time above, orders a second below; `bands` of time set off."""
    width = max(plan.seconds / POINTS, 0.05)
    rows = list(slices(samples, width))
    some = [row for row in rows if row.accepted_ns]
    latencies = [
        Series(
            name=percentile_name(share) if share < 1 else "greatest",
            points=[(r.start_s, percentile(r.accepted_ns, share) / NS_PER_MS) for r in some],
        )
        for share in (0.5, 0.99, 1.0)
    ]
    rates = [
        Series(name="accepted", points=[(r.start_s, r.accepted_per_s()) for r in rows]),
        Series(name="turned away", points=[(r.start_s, r.turned_away_per_s()) for r in rows]),
    ]
    counted = "time due" if plan.open_loop else "time sent"
    return line_chart(
        "Latency and throughput over time",
        [
            Panel(
                title=f"Latency of accepted orders, by {counted}",
                unit="milliseconds, logarithmic",
                series=latencies,
                logarithmic=True,
                bands=bands,
            ),
            Panel(title="Throughput", unit="orders a second", series=rates, bands=bands),
        ],
    )


def report_page(summary: Summary) -> str:
    """The page, in Markdown."""
    plan = summary.plan
    lines = [
        "# Load test",
        "",
        f"{load_words(plan)}. {summary.orders:,} orders, "
        f"{summary.accepted_per_s:,.0f} accepted a second, {summary.failures:,} failed.",
        "",
        table(("latency", "ms"), [(k, f"{v:,.2f}") for k, v in summary.latency_ms.items()]),
        "",
        latency_words(plan),
        "",
        "![Latency over time](latency.svg)",
        "",
        table(("reply", "orders"), [(status_words(s), f"{n:,}") for s, n in status_rows(summary)]),
        "",
        *(f"**{warning}**\n" for warning in warnings(summary)),
        table(("condition", ""), list(summary.conditions.items())),
        "",
    ]
    return "\n".join(lines)


def load_words(plan: Plan) -> str:
    """The load in a phrase."""
    keys = "each with an idempotency key" if plan.keys else "without idempotency keys"
    where = f"on {plan.connections} connections, {keys}"
    if plan.open_loop:
        return (
            f"Open loop: {plan.rate_per_s:,.0f} orders a second ({plan.arrivals} arrivals) for "
            f"{plan.seconds:g} s {where}"
        )
    return f"Closed loop for {plan.seconds:g} s {where}, {plan.pipeline} in flight on each"


def latency_words(plan: Plan) -> str:
    """What the latencies mean."""
    if plan.open_loop:
        return (
            "Latencies count from the time an order was due, not from when it could be sent, and "
            "include orders that were never answered: a stall of the server shows in full."
        )
    return (
        "Latencies count from when an order was sent, and the next is sent when its reply has "
        "come: they are those of a server at its limit and say nothing of a rate below it."
    )


def status_rows(summary: Summary) -> list[tuple[int, int]]:
    return sorted(Counter(summary.statuses).items())


def status_words(status: int) -> str:
    """A status as people read it."""
    names = {
        LOST: "none (connection lost or too late)",
        NOT_SENT: "not sent (no connection was free in time)",
        429: "429 (rate limit)",
        503: "503 (overloaded)",
    }
    return names.get(status, str(status))


def warnings(summary: Summary) -> list[str]:
    """What makes the figures worth less than they look."""
    found = []
    if summary.generator_busiest > GENERATOR_SHARE_MAX:
        found.append(
            f"The generator used {summary.generator_busiest:.0%} of a core in one process and may "
            "have been the limit: try more --processes."
        )
    if summary.plan.open_loop and summary.late_ms["p99"] > GENERATOR_LATE_MS_MAX:
        found.append(
            f"1 % of the orders were sent more than {summary.late_ms['p99']:.1f} ms late (this is "
            "in the latencies): the connections were all taken, or the generator had no processor."
        )
    if summary.retry_after_missing:
        found.append(f"{summary.retry_after_missing:,} replies 429 or 503 had no Retry-After.")
    return found


def table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    """A Markdown table of two columns."""
    return "\n".join(
        [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]
    )
