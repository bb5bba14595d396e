"""Tables and JSON on standard output: dressed up on a terminal, plain and stable in a pipe.

Plain: one row a line, columns aligned by blanks, no blank in a cell, an empty cell is `-`.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

Cell: TypeAlias = str | int | bool | None


def show_table(columns: Sequence[str], rows: Iterable[Iterable[Cell]]) -> None:
    """Write a table with its head; nothing but the head when there are no rows."""
    everything = [list(row) for row in rows]
    if sys.stdout.isatty():
        _show_rich(columns, everything)
    else:
        _show_plain([columns, *everything])


def show_facts(facts: Iterable[tuple[str, Cell]]) -> None:
    """Write a name and a value a line."""
    rows = list(facts)
    if sys.stdout.isatty():
        _show_rich(None, rows)
    else:
        _show_plain(rows)


def show_json(value: Any) -> None:
    """Write one JSON document and a newline."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def show_line(text: str = "") -> None:
    """Write a line of text."""
    sys.stdout.write(text + "\n")


def cell(value: Any) -> Cell:
    """A value as a cell: a number's exact digits as they are."""
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else value


def _show_plain(rows: Sequence[Sequence[Cell]]) -> None:
    texts = [[_plain(each) for each in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for text in texts:
        cells = (each.ljust(width) for each, width in zip(text, widths, strict=True))
        show_line("  ".join(cells).rstrip())


def _plain(value: Cell) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _show_rich(columns: Sequence[str] | None, rows: Sequence[Sequence[Cell]]) -> None:
    table = Table(box=None, show_header=columns is not None, pad_edge=False, header_style="bold")
    for place, name in enumerate(columns or ("", "")):
        number = bool(rows) and isinstance(rows[0][place], int) and columns is not None
        table.add_column(Text(name), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_plain(each)) for each in row))
    Console(file=sys.stdout).print(table)
