"""What `venue-sim` is told wrongly it names, and ends with the code that says so."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tradeclear.cli.main import app
from tradeclear.supervisor.exit_codes import ExitCode


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--fault", "flood"], "flood"),
        (["--fault", "gap,often=1"], "often"),
        (["--replay", "none.gz"], "none.gz"),
        (["--speed", "-1"], "--speed"),
    ],
)
def test_what_cannot_be_used_is_named(arguments: list[str], word: str) -> None:
    result = CliRunner().invoke(app, ["venue-sim", "--port", "0", *arguments])
    assert result.exit_code == ExitCode.USAGE
    assert word in result.output


def test_a_recording_without_a_snapshot_is_none(tmp_path: Path) -> None:
    file = tmp_path / "recording.gz"
    file.write_bytes(b"")
    result = CliRunner().invoke(app, ["venue-sim", "--port", "0", "--replay", str(file)])
    assert result.exit_code == ExitCode.USAGE
    assert "lastUpdateId" in result.output


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app, ["venue-sim", "--port", port])
    assert result.exit_code == ExitCode.UNAVAILABLE
    assert port in result.output
