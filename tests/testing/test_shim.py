"""The rule: every call that changes the directory is counted once, the chosen one is spoiled."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tradeclear.testing.shim import ALWAYS, SOURCE, Call, Plan, Shim
from tradeclear.testing.shim_library import COMPILERS, ShimUnavailable, library

STORAGE = """
import sys
from tradeclear.wal import PosixStorage
storage = PosixStorage(sys.argv[1])
file = storage.create("one")
try:
    file.pwrite(0, b"12345678")
    file.fdatasync()
    file.truncate(6)
    storage.rename("one", "two")
    storage.unlink("two")
    storage.fsync_directory()
    open("outside", "w").write("not counted")
except OSError as error:
    sys.exit(error.errno)
"""
CALLS = [
    Call(1, "create", 0, "one"),
    Call(2, "write", 8, "one"),
    Call(3, "sync", 0, "one"),
    Call(4, "truncate", 6, "one"),
    Call(5, "rename", 0, "two"),
    Call(6, "unlink", 0, "two"),
    Call(7, "sync", 0, "log"),
]
FORKING = """
import os, sys
for _ in range(3):
    if os.fork() == 0:
        os.close(os.open(f"{sys.argv[1]}/{os.getpid()}", os.O_CREAT | os.O_WRONLY))
        os._exit(0)
for _ in range(3):
    os.wait()
"""


@pytest.fixture
def shim(tmp_path: Path) -> Shim:
    (tmp_path / "log").mkdir()
    try:
        return Shim(tmp_path / "log", tmp_path / "shim")
    except ShimUnavailable as error:
        pytest.skip(str(error))


def run(shim: Shim, folder: Path, plan: Plan, program: str = STORAGE) -> int:
    """The exit code of a program that uses the directory."""
    command = [sys.executable, "-c", program, str(folder / "log")]
    return subprocess.run(command, env=shim.environment(plan), cwd=folder, check=False).returncode


def test_counts_what_changes_the_directory_and_nothing_else(shim: Shim, tmp_path: Path) -> None:
    assert run(shim, tmp_path, Plan()) == 0
    assert shim.trace() == CALLS
    assert (shim.calls, shim.fired) == (len(CALLS), 0)


def test_counts_children_in_the_same_order(shim: Shim, tmp_path: Path) -> None:
    assert run(shim, tmp_path, Plan(), FORKING) == 0
    assert [(call.number, call.kind) for call in shim.trace()] == [
        (1, "create"),
        (2, "create"),
        (3, "create"),
    ]


@pytest.mark.parametrize("at", range(1, len(CALLS) + 1))
@pytest.mark.parametrize("action", ["before", "middle", "after"])
def test_kills_at_the_chosen_call(shim: Shim, tmp_path: Path, at: int, action: str) -> None:
    assert run(shim, tmp_path, Plan(at=at, action=action)) == -signal.SIGKILL
    assert shim.trace() == CALLS[:at]
    assert shim.fired == 1
    assert shim.fired_s > 0


@pytest.mark.parametrize(
    ("action", "left"), [("before", b""), ("middle", b"1234"), ("after", b"12345678")]
)
def test_a_write_is_killed_with_none_half_or_all_of_it(
    shim: Shim, tmp_path: Path, action: str, left: bytes
) -> None:
    run(shim, tmp_path, Plan(at=2, action=action))
    assert (tmp_path / "log" / "one").read_bytes() == left


@pytest.mark.parametrize("at", range(1, len(CALLS) + 1))
def test_the_chosen_call_fails(shim: Shim, tmp_path: Path, at: int) -> None:
    assert run(shim, tmp_path, Plan(at=at, action=errno.EIO)) == (1 if at == 1 else errno.EIO)
    assert shim.calls == at


def test_a_short_write_is_finished(shim: Shim, tmp_path: Path) -> None:
    assert run(shim, tmp_path, Plan(at=2, action="short")) == 0
    assert [(call.kind, call.bytes) for call in shim.trace()[1:3]] == [("write", 8), ("write", 4)]


def test_only_one_kind_is_counted_if_asked(shim: Shim, tmp_path: Path) -> None:
    plan = Plan(at=1, action=errno.EIO, times=ALWAYS, kind="sync")
    assert run(shim, tmp_path, plan) == errno.EIO
    assert [call.kind for call in shim.trace()] == ["sync"]


def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ShimUnavailable, match=COMPILERS[0]):
        library(SOURCE)
