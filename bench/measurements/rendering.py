"""Results to docs/performance.md. The page's fixed words are in `performance.template.md`."""

from collections.abc import Sequence
from pathlib import Path
from string import Template

from measurements.results import NOT_MEASURED, Result, Table

TEMPLATE = Path(__file__).with_name("performance.template.md")
QUICK_WARNING = (
    "> **A quick run.** These figures show that the measurements work. They are not the published "
    "ones: too short, too few, and the machine was not quiet.\n\n"
)
NOISE_CORES_MAX = 0.05


def page(results: Sequence[Result | None], names: Sequence[str], plots: str) -> str:
    """The whole page. `names` are the measurements that there are, `plots` the plots' folder."""
    there = [result for result in results if result is not None]
    newest = max(there, key=lambda result: result.taken_at, default=None)
    missing = [name for name, result in zip(names, results, strict=True) if result is None]
    conditions = newest.conditions if newest else {}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        warning=QUICK_WARNING if any(result.quick for result in there) else "",
        targets=targets_table(there, missing),
        conditions=markdown(Table(("", ""), list(conditions.items())), words=True),
        sections="\n".join(section(result, plots) for result in there),
    )


def targets_table(results: Sequence[Result], missing: Sequence[str]) -> str:
    rows = [
        (target.what, target.target, target.measured, _mark(target.verdict, target.holds))
        for result in results
        for target in result.targets
    ]
    rows += [(f"`{name}`", "", "", NOT_MEASURED) for name in missing]
    return markdown(Table(("what", "target", "measured", ""), rows), words=True)


def section(result: Result, plots: str) -> str:
    """One measurement."""
    parts = [f"## {result.title}", result.method]
    parts += [f"![{plot.title}]({plots}/{plot.file})" for plot in result.plots]
    parts += [markdown(table) for table in result.tables]
    parts += result.notes
    parts.append(footnote(result))
    return "\n\n".join(parts) + "\n"


def footnote(result: Result) -> str:
    """How to have it again, and what this one was taken under."""
    noise = ""
    if result.others_cores > NOISE_CORES_MAX:
        noise = f" Other processes used {result.others_cores:.2f} cores meanwhile."
    quick = " A quick run." if result.quick else ""
    return (
        f"`python bench/report.py --only {result.name}` — {result.taken_at}, commit "
        f"{result.commit}.{quick}{noise}"
    )


def markdown(table: Table, *, words: bool = False) -> str:
    """A Markdown table; all but its first column to the right unless it holds `words`."""
    rule = ("---", *("---" if words else "---:" for _ in table.head[1:]))
    rows = [table.head, rule, *table.rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _mark(verdict: str, holds: bool | None) -> str:
    return f"**{verdict}**" if holds is False else verdict
