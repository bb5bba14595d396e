"""Two kinds of plot: lines over time, and bars beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from tradeclear.testing.plots.scales import Scale, covering, number_text
from tradeclear.testing.plots.svg import FAINT, GRID, INK, Drawing

WIDTH = 860
PANEL_HEIGHT = 250
COLOURS = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#cf222e", "#57606a")
BAND = "#ddf4ff"
MARK = "#ffc1bc"
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 62, 40

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """A line: points (seconds, value)."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One pair of axes: lines over seconds. `bands` are stretches of time to set off.

    `marks` are moments, and `marks_name` says of what.
    """

    title: str
    unit: str
    series: Sequence[Series]
    logarithmic: bool = False
    bands: Sequence[tuple[float, float]] = ()
    marks: Sequence[float] = ()
    marks_name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A bar and what stands at its end."""

    name: str
    value: float
    note: str = ""
    emphasis: bool = False


def line_chart(title: str, panels: Sequence[Panel]) -> str:
    """SVG of panels one below the other, over one time axis."""
    drawing = Drawing(WIDTH, PANEL_HEIGHT * len(panels))
    seconds = [second for panel in panels for line in panel.series for second, _ in line.points]
    end = max(seconds, default=1.0) or 1.0
    for number, panel in enumerate(panels):
        _draw_panel(drawing, panel, PANEL_HEIGHT * number, end)
    return drawing.render(title)


def _draw_panel(drawing: Drawing, panel: Panel, top: float, end_s: float) -> None:
    values = [value for line in panel.series for _, value in line.points]
    low, high = covering(values, logarithmic=panel.logarithmic)
    across = Scale(0, end_s, LEFT, WIDTH - RIGHT)
    up = Scale(low, high, top + PANEL_HEIGHT - BOTTOM, top + TOP, panel.logarithmic)
    drawing.text(LEFT, top + 22, panel.title, size=14, bold=True)
    for start, stop in panel.bands:
        left, right = across.place(start), across.place(stop)
        drawing.rectangle(left, top + TOP, max(1, right - left), up.start - up.end, colour=BAND)
    _draw_axes(drawing, panel, across, up)
    for x in map(across.place, panel.marks):
        drawing.line((x, up.start), (x, up.end), colour=MARK)
    legend = []
    for number, line in enumerate(panel.series):
        colour = COLOURS[number % len(COLOURS)]
        points = [(across.place(second), up.place(value)) for second, value in line.points]
        drawing.path(points, colour=colour)
        legend.append((line.name, colour))
    if panel.marks:
        legend.append((panel.marks_name, MARK))
    _draw_legend(drawing, legend, top)


def _draw_legend(drawing: Drawing, legend: Sequence[tuple[str, str]], top: float) -> None:
    x = float(LEFT)
    for name, colour in legend:
        drawing.rectangle(x, top + 38, 12, 4, colour=colour)
        drawing.text(x + 17, top + 44, name, colour=FAINT)
        x += 40 + 7.0 * len(name)


def _draw_axes(drawing: Drawing, panel: Panel, across: Scale, up: Scale) -> None:
    for mark in up.marks():
        y = up.place(mark)
        drawing.line((across.start, y), (across.end, y))
        drawing.text(LEFT - 8, y + 4, number_text(mark), colour=FAINT, size=11, anchor="end")
    for mark in across.marks():
        x = across.place(mark)
        drawing.line((x, up.start), (x, up.start + 4), colour=FAINT)
        label = f"{number_text(mark)} s"
        drawing.text(x, up.start + 18, label, colour=FAINT, size=11, anchor="middle")
    drawing.line((across.start, up.start), (across.end, up.start), colour=FAINT)
    drawing.text(across.end, up.end - 24, panel.unit, colour=FAINT, size=11, anchor="end")


def bar_chart(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """SVG of horizontal bars from zero, one below the other."""
    row, left, right, top = 34, 270, 180, 48
    drawing = Drawing(WIDTH, top + row * len(bars) + 14)
    drawing.text(16, 24, title, size=14, bold=True)
    drawing.text(WIDTH - 16, 24, unit, colour=FAINT, size=11, anchor="end")
    greatest = max((bar.value for bar in bars), default=1.0) or 1.0
    across = Scale(0, greatest, left, WIDTH - right)
    for number, bar in enumerate(bars):
        y = top + row * number
        end = across.place(bar.value)
        drawing.text(left - 10, y + 16, bar.name, anchor="end", bold=bar.emphasis)
        drawing.rectangle(left, y, across.end - left, 22, colour=GRID)
        colour = COLOURS[0] if bar.emphasis else COLOURS[-1]
        drawing.rectangle(left, y, end - left, 22, colour=colour)
        drawing.text(across.end + 8, y + 16, f"{bar.value:,.0f}", bold=bar.emphasis, colour=INK)
        if bar.note:
            x = across.end + 18 + 7.5 * len(f"{bar.value:,.0f}")
            drawing.text(x, y + 16, bar.note, colour=FAINT)
    return drawing.render(title)
