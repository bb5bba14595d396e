"""Whatever directory a command is pointed at, the answer says what it is and what to do."""

import os
from pathlib import Path

import pytest

from tradeclear.supervisor.exit_codes import ExitCode

from .logs import damage, document, exchange, fingerprint, run, tear, trade, trading

READERS = (
    ("ls",),
    ("stat",),
    ("cat",),
    ("verify",),
    ("verify", "--replay"),
    ("replay",),
    ("replay", "--until", "5"),
)
EVERY = (*READERS, ("repair",))


def at(directory: Path, words: tuple[str, ...]) -> list[object]:
    return [words[0], directory, *words[1:]]


@pytest.mark.parametrize("words", EVERY)
def test_a_missing_directory_is_a_usage_error(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = run(*at(tmp_path / "nowhere", words))
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == (
        f"tradeclear: {tmp_path}/nowhere: No such file or directory: give the directory of a log, "
        "or set TRADECLEAR_WAL_DIR\n"
    )
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("words", EVERY)
def test_a_directory_without_a_log_is_not_called_clean(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "README.md").write_text("nothing to see")
    result = run(*at(tmp_path, words))
    assert result.exit_code == ExitCode.USAGE
    assert "holds no log" in result.stderr
    assert os.listdir(tmp_path) == ["README.md"]


@pytest.mark.parametrize("words", EVERY)
def test_a_file_is_no_directory(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "wal").write_text("a file")
    result = run(*at(tmp_path / "wal", words))
    assert result.exit_code == ExitCode.USAGE
    assert "Not a directory" in result.stderr


def test_the_environment_names_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trading(tmp_path / "elsewhere")
    monkeypatch.setenv("TRADECLEAR_WAL_DIR", str(tmp_path / "elsewhere"))
    assert document("verify")["directory"] == str(tmp_path / "elsewhere")


def test_by_default_it_is_what_serve_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trading(tmp_path / "wal")
    trading(tmp_path / "other")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRADECLEAR_WAL_DIR", raising=False)
    assert document("verify")["directory"] == str(tmp_path / "wal")
    (tmp_path / ".env").write_text("TRADECLEAR_WAL_DIR=other\n")
    assert document("verify")["directory"] == str(tmp_path / "other")


def test_a_setting_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADECLEAR_PROT", "8000")
    result = run("ls")
    assert result.exit_code == ExitCode.CONFIGURATION
    assert "TRADECLEAR_PROT" in result.stderr


@pytest.mark.parametrize("words", READERS)
def test_reading_changes_no_byte(tmp_path: Path, words: tuple[str, ...]) -> None:
    trading(tmp_path / "clean", 30, segment_bytes_max=800)
    trading(tmp_path / "torn")
    tear(tmp_path / "torn")
    trading(tmp_path / "damaged", 30, segment_bytes_max=800)
    damage(tmp_path / "damaged", frame=10)
    (tmp_path / "damaged" / "snapshot-00000000000000000009.snap.tmp").write_bytes(b"left behind")
    for directory in tmp_path.iterdir():
        before = fingerprint(directory)
        run(*at(directory, words))
        assert fingerprint(directory) == before


@pytest.mark.parametrize("words", READERS)
def test_a_live_directory_is_read_and_the_writer_not_disturbed(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with exchange(tmp_path, segment_bytes_max=800) as made:
        trade(made, 10)
        made.snapshot()
        trade(made, 10)
        before = fingerprint(tmp_path)
        result = run(*at(tmp_path, words))
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        assert fingerprint(tmp_path) == before
        trade(made, 10)  # and it still can write
    assert document("verify", tmp_path)["last_seq"] == 31


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("ls",), ExitCode.OK),  # it looks at the ends of segments only
        (("stat",), ExitCode.LOG_DAMAGED),
        (("cat",), ExitCode.LOG_DAMAGED),
        (("verify",), ExitCode.LOG_DAMAGED),
        (("replay",), ExitCode.LOG_DAMAGED),
        (("repair",), ExitCode.LOG_DAMAGED),
        (("cat", "--to", "8"), ExitCode.OK),
        (("replay", "--until", "8"), ExitCode.OK),
    ],
)
def test_damage_is_told_with_file_and_byte_and_remedy(
    tmp_path: Path, words: tuple[str, ...], code: ExitCode
) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    file, offset = damage(tmp_path, frame=10)
    result = run(*at(tmp_path, words))
    assert result.exit_code == code, result.output
    if code:
        assert f"{file} at byte {offset}: expected a frame with checksum" in result.stderr
        assert "The log is whole up to record 10" in result.stderr
        assert "Restore the file from a copy" in result.stderr


def test_records_of_another_version_are_told_with_their_place(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.log.append(2, [b"\x93\x02\x03\x04"])
    for words in (("cat",), ("stat",), ("replay",)):
        result = run(*at(tmp_path, words))
        assert result.exit_code == ExitCode.LOG_DAMAGED
        assert "codec version 1 can't read" in result.stderr
