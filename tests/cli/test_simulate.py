"""`tradeclear simulate`: a summary, and of a failing seed its trace and how to repeat it."""

import json

import pytest
from typer.testing import CliRunner

from tradeclear.cli.main import app
from tradeclear.testing.simulated_storage import SimulatedFile

runner = CliRunner()


def test_summary() -> None:
    done = runner.invoke(app, ["simulate", "--seeds", "3", "--seed-from", "10", "--steps", "10"])
    assert done.exit_code == 0, done.output
    facts = dict(line.split() for line in done.stdout.splitlines())
    assert (facts["seeds"], facts["seed_from"], facts["failures"]) == ("3", "10", "0")


def test_json() -> None:
    done = runner.invoke(app, ["simulate", "--seeds", "2", "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["seeds"], report["failures"]) == (2, [])
    assert report["counts"]["records"] > 0


def test_failing_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedFile, "fdatasync", lambda self: None)
    done = runner.invoke(app, ["simulate", "--seeds", "1", "--seed-from", "7"])
    assert done.exit_code == 1
    assert "seed 7: Violation: record 1 was told of" in done.stderr
    assert "tradeclear simulate --seeds 1 --seed-from 7 --steps 20 --trace" in done.stderr
    assert "pwrite" in done.stderr
