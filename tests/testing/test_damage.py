"""Every damage comes to what its oracle says: a sample here, all of it by `make damage`.

On a failure: python -m tradeclear.testing.damage --seed as below, --stride 1 for all.
"""

import json
import sys

import pytest
from msgspec.structs import replace

from tradeclear.testing import damage_trial
from tradeclear.testing.damage import chunks_of, joined, main, run, run_chunk
from tradeclear.testing.damage_cases import Case, classes, flips, truncations
from tradeclear.testing.damage_log import LOG_BYTES, Specimen, specimens
from tradeclear.testing.damage_oracle import Expected
from tradeclear.testing.damage_storage import DamageStorage
from tradeclear.testing.damage_trial import wrong
from tradeclear.wal import Log

SEED = 1
STRIDE = 400


@pytest.fixture(scope="module")
def log() -> Specimen:
    return specimens(SEED)["log"]


def test_a_sample_of_the_matrix() -> None:
    """Every truncation of the last segment and every flip of the last two frames are in it."""
    report = run(SEED, stride=STRIDE, jobs=2)
    findings = [text for tally in report.tallies for text in tally.findings]
    assert (report.wrong, findings) == (0, [])
    assert report.cases > 15_000


def test_specimens_are_real_logs(log: Specimen) -> None:
    """Several segments, all that was planned, and the same for the same seed."""
    assert sum(map(len, log.files.values())) >= LOG_BYTES
    assert len(log.segments) == 5
    assert log.files == specimens(SEED)["log"].files
    opened = Log.open(DamageStorage(log.files))
    assert opened.last_seq == log.last_seq


def test_every_byte_and_bit_is_in_the_matrix(log: Specimen) -> None:
    size = sum(map(len, log.files.values()))
    cut, flipped = truncations(log, log.segments), flips(log, log.segments)
    assert (cut.size, flipped.size) == (size, 8 * size)
    first, last = flipped.case(0), flipped.case(flipped.size - 1)
    assert first.label == f"{log.segments[0]}: bit 0 of byte 0"
    last_byte = len(log.files[log.segments[-1]]) - 1
    assert last.label == f"{log.segments[-1]}: bit 7 of byte {last_byte}"
    assert first.files[log.segments[0]][0] == log.files[log.segments[0]][0] ^ 1


def test_every_outcome_is_expected_somewhere() -> None:
    expected = {
        each.case(number).expected.outcome
        for each in classes(SEED)
        for number in range(0, each.size, max(1, each.size // 20))
    }
    assert expected >= {"whole", "repaired", "refused", "passed over", "not read"}


def a_torn_tail(log: Specimen) -> Case:
    return truncations(log, log.segments).case(sum(map(len, log.files.values())) - 1)


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "refused"},
        {"last_seq": 1},
        {"torn": None},
        {"torn": ("wal-00000000000000000001.log", 0)},
        {"damage": ("wal-00000000000000000001.log", 0)},
        {"snapshots": (("snapshot-00000000000000000001.snap", 0),)},
        {"files": {}},
    ],
)
def test_what_is_not_as_the_oracle_says_is_found(log: Specimen, change: dict[str, object]) -> None:
    case = a_torn_tail(log)
    assert wrong(case, log) is None
    other: Expected = replace(case.expected, **change)
    assert wrong(replace(case, expected=other), log) is not None


def test_another_state_is_found(log: Specimen) -> None:
    other = replace(log, hashes=dict.fromkeys(log.hashes, "another"))
    assert "the state: found" in str(wrong(a_torn_tail(log), other))


def test_a_start_that_hangs_is_found(log: Specimen, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(storage: DamageStorage) -> None:
        while True:
            pass

    monkeypatch.setattr(damage_trial, "CASE_S_MAX", 0.01)
    monkeypatch.setattr(damage_trial, "verify", hang)
    assert "Hangs" in str(wrong(a_torn_tail(log), log))


def test_pieces_make_the_whole() -> None:
    chunks = list(chunks_of(classes(SEED), ["mishap"]))
    tally = run_chunk(SEED, 1, chunks[0])
    (total,) = joined([tally, tally])
    assert total.cases == 2 * tally.cases == 2 * len(chunks[0].numbers)
    assert sum(total.outcomes.values()) == total.cases


def test_program_tells_what_it_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["damage", "--kind", "mishap", "--kind", "page of zeros", "--jobs", "1", "--json"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert main() == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["wrong"], told["seed"]) == (0, 1)
    assert told["cases"] == sum(tally["cases"] for tally in told["tallies"]) > 300
