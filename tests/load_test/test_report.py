"""The rule: the page says what was done, what came out, and what makes it worth less."""

import json
from array import array
from pathlib import Path

from loadtest.plan import Plan
from loadtest.progress import bar_text
from loadtest.report import report_page, summarise, warnings, write_report
from loadtest.samples import Samples
from loadtest.workers import Progress

MS = 1_000_000
PLAN = Plan(host="h", port=1, rate_per_s=100, seconds=1.0, connections=8)


def samples(latency_ms: list[int], status: list[int], late_ms: int = 0) -> Samples:
    due = array("q", (n * 10 * MS for n in range(len(status))))
    sent = array("q", (time + late_ms * MS for time in due))
    return Samples(due, sent, array("q", (ms * MS for ms in latency_ms)), array("h", status))


def test_figures_of_a_run() -> None:
    summary = summarise(PLAN, samples([*range(1, 100), 0], [201] * 99 + [503]), {})
    assert summary.accepted_per_s == 99
    assert summary.latency_ms["p50"] == 50
    assert summary.latency_ms["max"] == 99
    assert summary.failures == 0
    assert summary.statuses == {201: 99, 503: 1}


def test_page_names_load_percentiles_replies_and_conditions() -> None:
    page = report_page(summarise(PLAN, samples([4] * 3, [201, 201, 500]), {"Processor": "2 × P"}))
    assert "Open loop: 100 orders a second" in page
    assert "| p99.99 | 4.00 |" in page
    assert "| 500 | 1 |" in page
    assert "1 failed" in page
    assert "| Processor | 2 × P |" in page


def test_a_closed_loop_is_not_sold_as_a_latency_measurement() -> None:
    plan = Plan(host="h", port=1, rate_per_s=0, seconds=1, connections=32)
    page = report_page(summarise(plan, samples([1], [201]), {}))
    assert "Closed loop" in page
    assert "say nothing of a rate below it" in page


def test_warns_of_a_generator_that_was_late_or_busy_and_of_replies_without_retry_after() -> None:
    seen = samples([9] * 10, [201] * 10, late_ms=5)
    seen.busiest_share, seen.retry_after_missing = 0.97, 3
    found = warnings(summarise(PLAN, seen, {}))
    assert len(found) == 3
    assert "97% of a core" in found[0]
    assert "5.0 ms late" in found[1]
    assert found[2].startswith("3 replies")


def test_files_are_written(tmp_path: Path) -> None:
    seen = samples([1, 2, 3], [201] * 3)
    page = write_report(tmp_path / "new", summarise(PLAN, seen, {}), seen)
    assert "latency.svg" in page.read_text(encoding="utf-8")
    summary = json.loads((page.parent / "summary.json").read_text(encoding="utf-8"))
    assert summary["latency_ms"]["p50"] == 2.0
    assert summary["plan"]["connections"] == 8
    assert (page.parent / "latency.svg").read_text(encoding="utf-8").startswith("<svg")


def test_progress_bar_fills() -> None:
    line = bar_text(Progress(elapsed_s=30, sent=10, answered=8, turned_away=1), 60)
    assert line.startswith("█" * 15 + "░" * 15)
    assert "8 answered, 2 under way, 1 turned away" in line
