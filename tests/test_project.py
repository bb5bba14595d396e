"""The rule: the project is pinned whole and bound to no host and to nobody's machine."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "tradeclear"
LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-embedded.lock",
    "requirements-binance.lock",
)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Home folders, file addresses, and wherever this checkout lies. Spelled in pieces, so that this
# file passes its own test; a checkout directly under the root (/app, say) has no telling name.
MACHINE_PATHS = re.compile(
    "|".join(
        [
            "/" + r"(home|Users)/[a-z]",
            "/" + r"root/",
            "file:" + "///",
            *([re.escape(str(ROOT)) + r"(?![\w-])"] if len(ROOT.parts) > 2 else []),
        ]
    )
)


def pins(lock: str) -> dict[str, tuple[str, int]]:
    """Package name to version and number of hashes."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    found = {}
    for entry in entries:
        name, version = entry.split()[0].split("==")
        found[normalized(name)] = (version, entry.count("--hash=sha256:"))
    return found


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {normalized(re.split(r"[^A-Za-z0-9._-]", text)[0]) for text in requirements}


def text_files() -> Iterator[Path]:
    """What git tracks or would track, without binary files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and b"\0" not in path.read_bytes()[:8192]:
            yield path


def imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "tradeclear" if node.level else node.module or ""


def imports_of(package: str) -> set[str]:
    """Top-level names of what a package imports; our own packages as `tradeclear.x`."""
    found = set()
    for path in (PACKAGE / package).rglob("*.py"):
        for name in imported_names(path):
            parts = name.split(".")
            found.add(".".join(parts[:2]) if parts[0] == "tradeclear" else parts[0])
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_address_and_no_file(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-[a-z]|--(?!hash=)|[./@])| @ ", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_every_package_with_its_hashes(lock: str) -> None:
    assert [name for name, (_, hashes) in pins(lock).items() if hashes == 0] == []


def test_runtime_lock_holds_dependencies_and_build_backend() -> None:
    wanted = PYPROJECT["project"]["dependencies"] + PYPROJECT["build-system"]["requires"]
    assert names(wanted) - set(pins("requirements.lock")) == set()


def test_dev_lock_holds_the_dev_group() -> None:
    assert (
        names(PYPROJECT["dependency-groups"]["dev"]) - set(pins("requirements-dev.lock")) == set()
    )


@pytest.mark.parametrize("extra", ["embedded", "binance"])
def test_the_lock_of_an_extra_holds_it(extra: str) -> None:
    wanted = PYPROJECT["project"]["optional-dependencies"][extra]
    assert names(wanted) - set(pins(f"requirements-{extra}.lock")) == set()


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_every_lock_repeats_every_runtime_pin_it_needs(lock: str) -> None:
    runtime, other = pins("requirements.lock"), pins(lock)
    build = names(PYPROJECT["build-system"]["requires"])
    needed = runtime if lock == "requirements-dev.lock" else {*runtime} - build
    assert {name: other.get(name) for name in needed} == {name: runtime[name] for name in needed}


def test_build_group_is_what_the_build_backend_asks_for() -> None:
    assert PYPROJECT["dependency-groups"]["build"] == PYPROJECT["build-system"]["requires"]


def test_no_file_names_a_path_of_this_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in text_files()
        if (match := MACHINE_PATHS.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert found == []


def test_run_time_data_is_ignored_but_the_page_on_it() -> None:
    tracked = {path.relative_to(ROOT).as_posix() for path in text_files()}
    assert {name for name in tracked if name.startswith("wal/")} == {"wal/README.md"}


def test_scripts_are_executable() -> None:
    scripts = [path for path in text_files() if path.read_bytes().startswith(b"#!")]
    assert [path for path in scripts if not path.stat().st_mode & 0o100] == []


def test_model_imports_the_standard_library_and_msgspec_alone() -> None:
    allowed = {*sys.stdlib_module_names, "msgspec", "tradeclear.model"}
    assert imports_of("model") - allowed == set()


@pytest.mark.parametrize("package", ["core", "routing", "wal", "model"])
def test_lower_floors_know_no_event_loop(package: str) -> None:
    assert imports_of(package) & {"trio", "anyio", "asyncio"} == set()
