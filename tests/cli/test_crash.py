"""The rule: `crash` says what it did, with its denominators, and refuses what it does not know."""

from pathlib import Path

import msgspec
from typer.testing import CliRunner

from tradeclear.cli.main import app
from tradeclear.supervisor.exit_codes import ExitCode


def test_random_moments_are_reported(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    arguments = ["crash", "--points", "random", "--kills", "1", "--json", "--report", str(file)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == ExitCode.OK, done.output
    told = msgspec.json.decode(done.stdout)
    assert told == msgspec.json.decode(file.read_bytes())
    assert told["kills"] + told["stops"] >= 1
    assert told["findings"] == []


def test_unknown_points_are_refused() -> None:
    done = CliRunner().invoke(app, ["crash", "--points", "some"])
    assert done.exit_code == ExitCode.USAGE
    assert "--points" in done.output
