"""A measurement's result, as it is kept beside the report and printed into it."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from msgspec import Struct

HOLDS: Final = "holds"
MISSED: Final = "missed"
NOT_MEASURED: Final = "not measured"


class Target(Struct, frozen=True, kw_only=True):
    """A row of the table at the top: what was promised, what came out. `holds` None: no figure."""

    what: str
    target: str
    measured: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        if self.holds is None:
            return NOT_MEASURED
        return HOLDS if self.holds else MISSED


class Table(Struct, frozen=True):
    """A table; the first column is words, the others are figures."""

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


class Plot(Struct, frozen=True):
    """A plot: its file's name, what it shows, and the SVG (empty once it is in its file)."""

    file: str
    title: str
    svg: str = ""


class Result(Struct, frozen=True, kw_only=True):
    """Everything that the report says of one measurement."""

    name: str
    title: str
    targets: list[Target]
    method: str
    tables: list[Table] = []
    plots: list[Plot] = []
    notes: list[str] = []
    others_cores: float = 0.0
    """Cores that processes of others used meanwhile: noise, best near 0."""

    quick: bool = False
    taken_at: str = ""
    commit: str = ""
    conditions: dict[str, str] = {}


def save(result: Result, folder: Path) -> None:
    """Write `folder`/NAME.json and the plots beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for plot in result.plots:
        (folder / plot.file).write_text(plot.svg, encoding="utf-8")
    bare = [msgspec.structs.replace(plot, svg="") for plot in result.plots]
    data = msgspec.json.encode(msgspec.structs.replace(result, plots=bare))
    text = msgspec.json.format(data, indent=1)
    (folder / f"{result.name}.json").write_bytes(text + b"\n")


def load(folder: Path, name: str) -> Result | None:
    """The result that was saved last, None if there is none."""
    file = folder / f"{name}.json"
    if not file.exists():
        return None
    return msgspec.json.decode(file.read_bytes(), type=Result)


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the ratios within each round, so that what slows a round down slows both."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))
