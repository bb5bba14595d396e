"""Progress is shown on standard error, only on a terminal, and never on standard output."""

import sys

import pytest

from tradeclear.cli.progress import progress


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("verifying") as show:
        show(1, 2)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_terminal_gets_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("tradeclear.cli.progress.SHOWN_EVERY_S", 0)
    monkeypatch.setenv("TERM", "xterm")
    with progress("verifying") as show:
        show(1, 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "verifying" in captured.err
