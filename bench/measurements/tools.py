"""The programs that aren't Python's: named when they are missing, with their versions when not."""

import json
import os
import re
import shutil
import subprocess
import sys

from measurements import CHECKOUT

REFERENCES = CHECKOUT / "bench" / "references"

HINTS = {
    "wrk": "apt-get install wrk, brew install wrk",
    "node": "Node.js 20 or newer: nodejs.org, or your system's packages",
    "npm": "it comes with Node.js",
}


class ToolMissing(Exception):
    """A program that the measurement needs is not installed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not installed ({HINTS[name]})")


def require(*names: str) -> None:
    """Raise `ToolMissing` unless all are there."""
    for name in names:
        if shutil.which(name) is None:
            raise ToolMissing(name)


def install_references() -> None:
    """Install what the lock file of `bench/references` names, unless it is there."""
    require("node", "npm")
    stamp = REFERENCES / "node_modules" / ".package-lock.json"
    lock = REFERENCES / "package-lock.json"
    if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return
    print("installing Express, Fastify and ws into bench/references/node_modules", file=sys.stderr)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=REFERENCES, check=True)


def versions() -> dict[str, str]:
    """What was measured with; what is missing is left out."""
    found = {"Node.js": _says(["node", "--version"], r"v([\d.]+)")}
    found["wrk"] = _says(["wrk", "--version"], r"wrk (\S+)")
    for package in ("express", "fastify", "ws"):
        file = REFERENCES / "node_modules" / package / "package.json"
        if file.exists():
            found[package] = str(json.loads(file.read_text(encoding="utf-8"))["version"])
    return {name: version for name, version in found.items() if version}


def commit() -> str:
    """The checkout's commit, and whether anything differs from it."""
    head = _says(["git", "rev-parse", "--short", "HEAD"], r"(\w+)")
    if not head:
        return "unknown"
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "src"],
        cwd=CHECKOUT,
        capture_output=True,
        check=False,
    )
    return f"{head} with changes" if changed.stdout.strip() else head


def _says(command: list[str], pattern: str) -> str:
    try:
        # wrk prints its version and ends with 1.
        run = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, check=False, env=dict(os.environ)
        )
    except FileNotFoundError:
        return ""
    found = re.search(pattern, run.stdout.decode(errors="replace"))
    return found[1] if found else ""
