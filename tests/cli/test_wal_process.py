"""As a real process: exit codes, pipes, Ctrl-C, and nothing on a terminal's account in a pipe."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from .logs import FIRST, damage, exchange, tear, trade, trading

TIMEOUT_S = 60


def start(*words: object, **options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tradeclear", "wal", *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **options
    )


def finish(*words: object, **options: Any) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    process = start(*words, **options)
    out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, out.decode(), err.decode()


def test_every_command_has_help_with_an_example() -> None:
    code, text, _ = finish("--help")
    assert code == 0
    for name in ("ls", "stat", "cat", "verify", "repair", "replay", "snapshot"):
        assert re.search(rf"\b{name} ", text)
        code, text_of_command, _ = finish(name, "--help", env=os.environ | {"COLUMNS": "200"})
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
    code, out, err = finish("ls", tmp_path, env=os.environ | {"COLUMNS": "20"})
    assert (code, err) == (0, "")
    assert out.splitlines()[1].startswith(f"{FIRST}  1 ")
    assert "\x1b" not in out


def test_head_ends_it_quietly(tmp_path: Path) -> None:
    trading(tmp_path, 3_000)
    for words in (("cat", tmp_path), ("cat", tmp_path, "--json"), ("cat", tmp_path, "--follow")):
        process = start(*words)
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(TIMEOUT_S) == 0
        process.stderr.close()


def test_following_flushes_each_commit_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with exchange(tmp_path, segment_bytes_max=800) as made:
        process = start("cat", tmp_path, "--follow", "--json", "--poll-s", "0.01")
        assert process.stdout is not None
        for seq in range(1, 31):
            assert json.loads(process.stdout.readline())["seq"] == seq
            trade(made, 1)
        assert json.loads(process.stdout.readline())["seq"] == 31
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, err) == (0, b"", b"")
