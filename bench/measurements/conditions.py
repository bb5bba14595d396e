"""What a result was taken under."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from loadtest.machine import description
from msgspec.structs import replace

from measurements import tools
from measurements.results import Result

PACKAGES = ("trio", "msgspec", "httptools", "hypercorn", "quart-trio")


def stamped(result: Result, folder: Path, *, quick: bool) -> Result:
    """`result` with date, commit, machine and versions; `folder` is where the log was."""
    return replace(
        result,
        quick=quick,
        taken_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        commit=tools.commit(),
        conditions={
            **description(folder),
            "tradeclear": f"{version('tradeclear')}, commit {tools.commit()}",
            "Packages": ", ".join(_packages()),
            "Beside it": ", ".join(f"{name} {of}" for name, of in tools.versions().items()),
        },
    )


def _packages() -> list[str]:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except ModuleNotFoundError:
            continue
    return found
