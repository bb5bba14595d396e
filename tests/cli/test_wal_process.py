"""As a real process: exit codes, pipes, Ctrl-C, and nothing on a terminal's account in a pipe."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .logs import FIRST, damage, exchange, tear, trade, trading

TIMEOUT_S = 30

# Output is buffered as it is for people, and nothing is set that could be set by chance.
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}


@contextmanager
def started(*words: object, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process, which is gone when the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "tradeclear", "wal", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=ENVIRONMENT | environment,
        bufsize=0,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finish(*words: object, **environment: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    with started(*words, **environment) as process:
        out, err = process.communicate(timeout=TIMEOUT_S)
        return process.returncode, out.decode(), err.decode()


def read_line(process: subprocess.Popen[bytes]) -> bytes:
    """The next line, which must come in time."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], TIMEOUT_S)
    assert ready, "nothing came"
    return process.stdout.readline()


def test_every_command_has_help_with_an_example() -> None:
    code, text, _ = finish("--help")
    assert code == 0
    for name in ("ls", "stat", "cat", "verify", "repair", "replay", "snapshot"):
        assert re.search(rf"\b{name} ", text)
        code, text_of_command, _ = finish(name, "--help", COLUMNS="200")
        assert code == 0
        assert f"Example: tradeclear wal {name} " in text_of_command


def test_exit_codes(tmp_path: Path) -> None:
    trading(tmp_path / "clean", 5)
    trading(tmp_path / "torn", 5)
    tear(tmp_path / "torn")
    trading(tmp_path / "damaged", 5)
    file, offset = damage(tmp_path / "damaged", frame=2)
    assert finish("verify", tmp_path / "clean")[::2] == (0, "")
    assert finish("verify", tmp_path / "torn")[0] == 1
    code, _, err = finish("verify", tmp_path / "damaged")
    assert (code, err.count("\n")) == (65, 1)
    assert err.startswith(f"tradeclear: {tmp_path}/damaged: {file} at byte {offset}: expected ")
    assert finish("verify", tmp_path / "missing")[0] == 2
    assert finish("cat", tmp_path / "clean", "--from", "yesterday")[0] == 2
    assert finish("nonsense")[0] == 2


def test_a_second_writer_is_seen_from_another_process(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        trade(made, 5)
        code, _, err = finish("repair", tmp_path)
        assert code == 75
        assert f"in use by process {os.getpid()}" in err
        code, out, _ = finish("ls", tmp_path, "--json")
        assert (code, json.loads(out)["writer"]) == (0, os.getpid())
        tear(tmp_path)
        assert finish("verify", tmp_path)[0] == 0


def test_a_pipe_gets_whole_lines_and_no_colours(tmp_path: Path) -> None:
    trading(tmp_path, 5)
    code, out, err = finish("ls", tmp_path, COLUMNS="20")
    assert (code, err) == (0, "")
    assert out.splitlines()[1].startswith(f"{FIRST}  1 ")
    assert "\x1b" not in out


@pytest.mark.parametrize("words", [(), ("--json",), ("--follow",)])
def test_head_ends_it_quietly(tmp_path: Path, words: tuple[str, ...]) -> None:
    trading(tmp_path, 3_000)
    with started("cat", tmp_path, *words) as process:
        assert read_line(process)
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (0, b"")


def test_a_reader_that_goes_ends_the_following_though_nothing_happens(tmp_path: Path) -> None:
    with exchange(tmp_path), started("cat", tmp_path, "--follow") as process:
        assert read_line(process)
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (0, b"")


def test_following_flushes_each_commit_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    words = ("cat", tmp_path, "--follow", "--json", "--poll-s", "0.01")
    with exchange(tmp_path, segment_bytes_max=800) as made, started(*words) as process:
        for seq in range(1, 31):
            assert json.loads(read_line(process))["seq"] == seq
            trade(made, 1)
        assert json.loads(read_line(process))["seq"] == 31
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, err) == (0, b"", b"")
