"""The differential's program says what it did, and shows the way back to a difference."""

import sys
from typing import Any

import pytest

from tradeclear.core.book import OrderBook
from tradeclear.core.engine import Engine
from tradeclear.testing.commands import commands
from tradeclear.testing.differential import Difference, Differential, main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["differential", *arguments])
    return main()


def test_agreement_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(monkeypatch, "--commands", "500", "--seed", "3")
    assert (code, "500 commands, seed 3" in capsys.readouterr().out) == (0, True)


def test_difference_is_reported_with_seed_and_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(OrderBook, "fillable", lambda *terms, **more: False)
    code = run(monkeypatch, "--commands", "5000", "--seed", "3")
    said = capsys.readouterr().out
    found = [words in said for words in ("seed 3 differs at", "outcome", "PlaceOrder(")]
    assert (code, found) == (1, [True, True, True])


def test_crash_of_the_engine_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(engine: Engine, *record: Any) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(Engine, "apply", crash)
    with pytest.raises(Difference, match="ZeroDivisionError: on purpose"):
        Differential().run(commands(1))
