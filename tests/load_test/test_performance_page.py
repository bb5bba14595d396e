"""The rule: docs/performance.md is made of the results alone, and hides none that missed."""

from pathlib import Path

import pytest

from measurements.rendering import page, section, targets_table
from measurements.results import Plot, Result, Table, Target, load, median_ratio, save

HOLDS = Target(what="A", target="≥ 2", measured="2.4", holds=True)
MISSED = Target(what="B", target="≤ 10 ms", measured="12 ms", holds=False)


def result(*targets: Target, name: str = "some", quick: bool = False, noise: float = 0) -> Result:
    return Result(
        name=name,
        title="Some title",
        targets=list(targets),
        method="How it was measured.",
        tables=[Table(("who", "orders/s"), [("us", "1,000")])],
        plots=[Plot("some.svg", "A plot", "<svg/>")],
        quick=quick,
        others_cores=noise,
        taken_at="2026-01-01 00:00 UTC",
        commit="abc",
        conditions={"Processor": "2 × P"},
    )


def test_targets_and_their_verdicts() -> None:
    rows = targets_table([result(HOLDS, MISSED)], ["other"]).splitlines()
    assert rows[2:] == [
        "| A | ≥ 2 | 2.4 | holds |",
        "| B | ≤ 10 ms | 12 ms | **missed** |",
        "| `other` |  |  | not measured |",
    ]


def test_page_holds_sections_conditions_and_what_is_missing() -> None:
    text = page([result(HOLDS), None], ["some", "other"], "performance")
    assert "## Some title\n\nHow it was measured.\n\n![A plot](performance/some.svg)" in text
    assert "| who | orders/s |\n| --- | ---: |\n| us | 1,000 |" in text
    assert "| Processor | 2 × P |" in text
    assert "| `other` |" in text
    assert "quick" not in text
    assert "$" not in text


def test_a_quick_run_says_so_at_the_top_and_in_its_section() -> None:
    text = page([result(HOLDS, quick=True)], ["some"], "performance")
    assert text.index("A quick run") < text.index("## Some title")
    assert text.count("A quick run") == 2


def test_section_ends_with_its_command_and_the_noise() -> None:
    last = section(result(HOLDS, noise=0.4), "p").rstrip().rpartition("\n")[2]
    assert last.startswith("`python bench/report.py --only some`")
    assert "0.40 cores" in last


def test_results_are_kept_and_read_again(tmp_path: Path) -> None:
    save(result(HOLDS), tmp_path)
    kept = load(tmp_path, "some")
    assert kept is not None
    assert kept.targets == [HOLDS]
    assert kept.plots == [Plot("some.svg", "A plot")]
    assert (tmp_path / "some.svg").read_text(encoding="utf-8") == "<svg/>"
    assert load(tmp_path, "other") is None


def test_ratio_is_the_median_of_the_rounds() -> None:
    # In the second round everything ran at half the speed: the ratio stays what it is.
    assert median_ratio([20, 10, 21], [10, 5, 10]) == pytest.approx(2.0)
