"""A soak as a plot: what the server held of its machine, the kills, and how much it acknowledged.

Time is seconds of load: what is compared between two stretches takes none.
"""

from collections.abc import Callable, Sequence
from math import ceil
from statistics import mean
from typing import Final

from tradeclear.testing.plots.charts import Panel, Point, Series, line_chart
from tradeclear.testing.soak_report import Look, SoakReport

POINTS_MAX: Final = 400
"""Of a line, which is not twice as many pixels wide."""

Reading = Callable[[Look], float]


def plot(report: SoakReport) -> str:
    """SVG of memory, descriptors, threads and acknowledged commands over the time of load."""
    looks = report.looks
    kills = [
        stretch.number * report.plan.stretch_s for stretch in report.stretches if stretch.killed
    ]

    def panel(title: str, unit: str, **lines: Sequence[Point]) -> Panel:
        series = [Series(name=name, points=points) for name, points in lines.items()]
        return Panel(title=title, unit=unit, series=series, marks=kills, marks_name="kill")

    return line_chart(
        "A server under load and kills: what it held, and what it acknowledged",
        [
            panel("Memory", "MiB", resident=_line(looks, lambda look: look.resident_mib, max)),
            panel(
                "Descriptors and threads",
                "",
                descriptors=_line(looks, lambda look: look.descriptors, max),
                threads=_line(looks, lambda look: look.threads, max),
            ),
            panel(
                "Acknowledged commands",
                "a second",
                acknowledged=_line(looks, lambda look: look.acknowledged_per_s, mean),
            ),
        ],
    )


def _line(
    looks: Sequence[Look], reading: Reading, of_many: Callable[[list[float]], float]
) -> list[Point]:
    """A point a look, or one of many looks if there are too many."""
    size = max(1, ceil(len(looks) / POINTS_MAX))
    parts = [looks[at : at + size] for at in range(0, len(looks), size)]
    return [(part[0].at_s, of_many([reading(look) for look in part])) for part in parts]
