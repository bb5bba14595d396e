"""The rule: what tradeclear is measured against is pinned, and its lock names no address."""

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "bench" / "references"


def test_versions_are_exact() -> None:
    wanted = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert set(wanted) == {"express", "fastify", "ws"}
    assert all(version[0].isdigit() for version in wanted.values())


def test_lock_names_no_address_and_every_file_s_hash() -> None:
    text = (FOLDER / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in text
    packages = json.loads(text)["packages"]
    assert [name for name, about in packages.items() if name and "integrity" not in about] == []
