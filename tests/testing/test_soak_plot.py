"""The rule: the plot shows what the server held at every time of load, and where it was killed."""

import xml.etree.ElementTree as ET

from tradeclear.testing.plots.charts import MARK
from tradeclear.testing.soak_plan import Plan
from tradeclear.testing.soak_plot import POINTS_MAX, plot
from tradeclear.testing.soak_report import Look, SoakReport, Stretch, looks
from tradeclear.testing.soak_vitals import MIB, SAMPLE_S, Vital

SVG = "{http://www.w3.org/2000/svg}"
PLAN = Plan(minutes=3, rate_per_s=100, kill_every_s=60, seed=1)


def look(at_s: float, **more: float) -> Look:
    values = {"resident_mib": 70.0, "descriptors": 27, "threads": 4, "acknowledged_per_s": 100.0}
    return Look(at_s=at_s, **{**values, **more})  # type: ignore[arg-type]


def stretch(number: int, *, killed: bool) -> Stretch:
    zeros = dict.fromkeys(("p50_ms", "p99_ms", "max_ms", "resident_mib", "log_mib", "ready_s"), 0.0)
    counts = dict.fromkeys(("requests", "acknowledged", "descriptors", "threads"), 0)
    return Stretch(number=number, killed=killed, **counts, **zeros)  # type: ignore[arg-type]


def lines(svg: str) -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]  # type: ignore[misc]
        for line in ET.fromstring(svg).iter(f"{SVG}polyline")
    ]


def marks(svg: str) -> list[float]:
    shapes = ET.fromstring(svg).iter(f"{SVG}line")
    return [float(shape.attrib["x1"]) for shape in shapes if shape.attrib["stroke"] == MARK]


def test_every_quantity_has_its_line_and_every_panel_the_kills() -> None:
    stretches = [stretch(number, killed=number != 2) for number in (1, 2, 3)]
    seen = [look(60.0 * number, resident_mib=70 + number) for number in range(4)]
    svg = plot(SoakReport(plan=PLAN, stretches=stretches, looks=seen))
    memory, descriptors, threads, acknowledged = lines(svg)
    assert [len(line) for line in (memory, descriptors, threads, acknowledged)] == [4] * 4
    assert memory[0][1] > memory[3][1]
    assert threads[0][1] > descriptors[0][1]
    assert marks(svg) == [memory[1][0], memory[3][0]] * 3


def test_a_long_soak_has_few_points_and_its_peak_among_them() -> None:
    seen = [look(float(at), resident_mib=90 if at == 5_001 else 70) for at in range(10_000)]
    short, long = (
        lines(plot(SoakReport(plan=PLAN, looks=some)))[0] for some in (seen[5_001:5_002], seen)
    )
    assert POINTS_MAX / 2 < len(long) <= POINTS_MAX
    assert min(y for _, y in long) == short[0][1]


def test_a_soak_that_ended_before_it_began_is_a_plot_without_lines() -> None:
    assert [point for line in lines(plot(SoakReport(plan=PLAN))) for point in line] == []


# From samples to looks


def samples(count: int) -> list[Vital]:
    return [Vital(SAMPLE_S * n, 70 * MIB, 27, 4, 5 * MIB, 1_000 + 60 * n) for n in range(count)]


def test_looks_go_on_where_the_stretch_before_ended() -> None:
    seen = looks(samples(10), 60.0)
    assert [(each.at_s, each.resident_mib) for each in seen] == [(60, 70), (62, 70), (64, 70)]
    assert {each.acknowledged_per_s for each in seen} == {120.0}


def test_one_sample_tells_no_rate() -> None:
    assert looks(samples(1), 0.0) == []
    assert looks([], 0.0) == []
