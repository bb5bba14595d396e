"""The rule: every pitfall has a test, and every test that the page names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PITFALLS = 21
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")

rows = re.findall(
    r"^\| (\d+) \|(.*)$", (ROOT / "docs/reliability-pitfalls.md").read_text(), re.MULTILINE
)


def test_every_pitfall_has_a_test() -> None:
    assert [int(number) for number, _ in rows] == list(range(1, PITFALLS + 1))
    assert [number for number, text in rows if not NAMED.search(text)] == []


def test_every_test_is_there() -> None:
    named = [each for _, text in rows for each in NAMED.findall(text)]
    assert [
        f"{file}::{test}"
        for file, test in named
        if not re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE)
    ] == []
