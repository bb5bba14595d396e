"""The rule: `soak` writes its report and, beside it, the plot, or refuses before it soaks."""

import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
from typer.testing import CliRunner

from tradeclear.cli.main import app
from tradeclear.supervisor.exit_codes import ExitCode


def test_the_plot_lies_beside_the_report(tmp_path: Path) -> None:
    file = tmp_path / "soak.json"
    arguments = ["soak", "--minutes", "0.04", "--rate", "50", "--json", "--report", str(file)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == ExitCode.OK, done.output
    told = msgspec.json.decode(done.stdout)
    assert told == msgspec.json.decode(file.read_bytes())
    assert told["looks"]
    assert ET.parse(tmp_path / "soak.svg").getroot().tag.endswith("svg")


def test_a_report_in_the_plots_place_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["soak", "--report", str(tmp_path / "soak.svg")])
    assert done.exit_code == ExitCode.USAGE
    assert "--report" in done.output
