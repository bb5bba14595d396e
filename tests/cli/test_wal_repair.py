"""`repair` alone writes: it cuts what the next start would cut, and keeps what it cuts."""

from pathlib import Path

from tradeclear.supervisor.exit_codes import ExitCode

from .logs import (
    FIRST,
    damage,
    document,
    exchange,
    facts,
    fingerprint,
    run,
    tear,
    told,
    trade,
    trading,
)


def test_torn_tail_is_cut_and_kept(tmp_path: Path) -> None:
    trading(tmp_path, 5)
    offset = tear(tmp_path)
    tail = (tmp_path / FIRST).read_bytes()[offset:]
    found = facts(told("repair", tmp_path))
    assert found["done"] == "cut_torn_tail"
    assert (found["cut_from"], found["cut_at_byte"]) == (FIRST, str(offset))
    assert (found["cut_first_seq"], found["last_seq"]) == ("6", "5")
    assert (tmp_path / found["kept_as"]).read_bytes() == tail
    assert document("verify", tmp_path)["last_seq"] == 5


def test_nothing_to_mend(tmp_path: Path) -> None:
    trading(tmp_path, 5)
    files = {name: data for name, (data, _) in fingerprint(tmp_path).items()}
    assert facts(told("repair", tmp_path))["done"] == "nothing_was_broken"
    assert {name: data for name, (data, _) in fingerprint(tmp_path).items()} == files


def test_a_live_directory_is_refused(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        trade(made, 5)
        before = fingerprint(tmp_path)
        result = run("repair", tmp_path)
        assert result.exit_code == ExitCode.LOCKED
        assert "only one process may write a log" in result.stderr
        assert fingerprint(tmp_path) == before


def test_damage_is_refused(tmp_path: Path) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    file, offset = damage(tmp_path, frame=10)
    before = fingerprint(tmp_path)
    result = run("repair", tmp_path)
    assert result.exit_code == ExitCode.LOG_DAMAGED
    assert f"{file} at byte {offset}: " in result.stderr
    assert fingerprint(tmp_path) == before


def test_records_are_given_up_only_by_their_exact_number(tmp_path: Path) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    damage(tmp_path, frame=10)
    before = fingerprint(tmp_path)
    for wrong in (0, 9, 11, 31):
        result = run("repair", tmp_path, "--lose-records-after", wrong)
        assert result.exit_code == ExitCode.LOG_DAMAGED
        assert f"The number given is {wrong}, not 10" in result.stderr
    assert fingerprint(tmp_path) == before
    found = facts(told("repair", tmp_path, "--lose-records-after", 10))
    assert (found["done"], found["last_seq"]) == ("gave_up_records", "10")
    assert found["lost_records"] == "11-31"
    assert document("verify", tmp_path)["last_seq"] == 10
    assert list(tmp_path.glob("*.broken"))


def test_there_is_no_giving_up_where_nothing_is_damaged(tmp_path: Path) -> None:
    trading(tmp_path, 5)
    before = fingerprint(tmp_path)
    result = run("repair", tmp_path, "--lose-records-after", 3)
    assert result.exit_code == ExitCode.USAGE
    assert "there is nothing to give up" in result.stderr
    assert fingerprint(tmp_path) == before


def test_json_tells_the_same(tmp_path: Path) -> None:
    trading(tmp_path, 5)
    offset = tear(tmp_path)
    report = document("repair", tmp_path)["report"]
    assert report["recovery"]["torn"]["offset"] == offset
    assert report["recovery"]["broken"] == f"{FIRST}.{offset}.broken"
