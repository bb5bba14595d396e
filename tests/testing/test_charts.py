"""The rule: a plot is a whole SVG of its own, and its lines are where the values are."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from tradeclear.testing.plots.charts import MARK, Bar, Panel, Series, bar_chart, line_chart
from tradeclear.testing.plots.scales import Scale, covering, number_text, round_step

SVG = "{http://www.w3.org/2000/svg}"


def line_points(svg: str) -> list[list[tuple[float, float]]]:
    lines = ET.fromstring(svg).iter(f"{SVG}polyline")
    return [
        [tuple(map(float, p.split(","))) for p in line.attrib["points"].split()]  # type: ignore[misc]
        for line in lines
    ]


def panel(*values: float, logarithmic: bool = False) -> Panel:
    points = list(enumerate(map(float, values)))
    line = Series(name="a < b", points=[(float(s), v) for s, v in points])
    return Panel(title="T & U", unit="ms", series=[line], logarithmic=logarithmic)


def test_more_is_higher_and_later_is_further_right() -> None:
    [points] = line_points(line_chart("title", [panel(1, 5, 3)]))
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x0 < x1 < x2
    assert y1 < y2 < y0


def test_on_a_logarithmic_axis_equal_factors_are_equal_steps() -> None:
    [[(_, a), (_, b), (_, c)]] = line_points(line_chart("t", [panel(1, 10, 100, logarithmic=True)]))
    assert a - b == pytest.approx(b - c, abs=0.2)


def test_marks_stand_where_the_lines_are_at_that_time_and_are_named() -> None:
    marked = replace(panel(1, 5, 3), marks=[1.0], marks_name="kill")
    svg = line_chart("t", [marked])
    [points] = line_points(svg)
    marks = [
        shape.attrib["x1"]
        for shape in ET.fromstring(svg).iter(f"{SVG}line")
        if shape.attrib["stroke"] == MARK
    ]
    assert list(map(float, marks)) == [points[1][0]]
    assert "kill" in svg
    assert "kill" not in line_chart("t", [replace(marked, marks=[])])


def test_words_are_escaped_and_no_address_is_in_it() -> None:
    svg = line_chart("<title>", [panel(1, 2)])
    assert "a &lt; b" in svg
    assert "T &amp; U" in svg
    assert re.findall(r"\w+://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("logarithmic", [True, False])
def test_nothing_to_show_and_zeros_are_no_error(logarithmic: bool) -> None:
    empty = Panel(title="", unit="", series=[Series(name="", points=[])], logarithmic=logarithmic)
    for chart in (
        line_chart("t", [empty]),
        line_chart("t", [panel(0, 0, logarithmic=logarithmic)]),
    ):
        assert ET.fromstring(chart).tag == f"{SVG}svg"


def test_bars_are_as_long_as_their_values() -> None:
    svg = bar_chart(
        "t", "orders/s", [Bar(name="a", value=50), Bar(name="b", value=100, note="2 ×")]
    )
    widths = [
        float(shape.attrib["width"])
        for shape in ET.fromstring(svg).iter(f"{SVG}rect")
        if shape.attrib.get("height") == "22.0"
    ]
    assert widths[1] * 2 == pytest.approx(widths[3], abs=0.2)
    assert "2 ×" in svg


def test_marks_are_round_and_inside() -> None:
    assert Scale(0, 60, 0, 1).marks() == [0, 20, 40, 60]
    assert Scale(0.4, 30, 0, 1, logarithmic=True).marks() == [0.5, 1, 2, 5, 10, 20]
    assert round_step(0.7) == 1


def test_axes_show_every_value() -> None:
    low, high = covering([0.0, 0.3, 900.0], logarithmic=True)
    assert low < 0.3 < 900 < high
    assert covering([3.0], logarithmic=False)[0] == 0


def test_numbers_on_axes() -> None:
    assert [number_text(v) for v in (20_000.0, 2.5, 0.5, 0.0)] == ["20,000", "2.5", "0.5", "0"]
