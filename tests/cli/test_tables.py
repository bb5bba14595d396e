"""In a pipe tables are plain text that `grep` and `awk` can live with, however wide."""

import sys

import pytest
from msgspec import Raw

from tradeclear.cli.tables import cell, show_facts, show_json, show_table


def test_plain_columns_hold_no_blanks_and_no_row_is_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_table(["file", "records", "sealed"], [["f" * 200, 1_234_567, True], ["g", None, False]])
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["file", "records", "sealed"]
    assert first.split() == ["f" * 200, "1234567", "yes"]
    assert second.split() == ["g", "-", "no"]
    assert head.index("records") == first.index("1234567") == second.index("-")


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(["file", "records"], [])
    assert capsys.readouterr().out == "file  records\n"


def test_facts_are_a_name_and_a_value_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_facts([("seq", 12), ("time", None), ("state_hash", "")])
    assert capsys.readouterr().out == "seq         12\ntime        -\nstate_hash  -\n"


def test_on_a_terminal_numbers_are_set_right_and_can_still_be_copied(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_table(["file", "records"], [["[bold]f", 1_234_567_890], ["g", 7]])
    _head, first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["[bold]f", "1234567890"]  # names are text, never markup
    assert second.index("7") == first.rindex("0")


def test_json_keeps_every_digit(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"price": Raw(b"0.100000000000000001"), "hash": None})
    assert capsys.readouterr().out == '{"price":0.100000000000000001,"hash":null}\n'


def test_a_number_is_a_cell_by_its_digits() -> None:
    assert [cell(Raw(b"1.50")), cell(3), cell(None)] == ["1.50", 3, None]
