"""`cat` shows each record once, in its order; with `--follow`, also those that come later."""

import json
import os
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tradeclear.cli.moments import Moment
from tradeclear.cli.wal_cat import POLL_S, Wanted, show, wait_for_more
from tradeclear.model.commands import CancelOrder
from tradeclear.model.instrument import define_instrument
from tradeclear.supervisor.exit_codes import ExitCode
from tradeclear.wal.codec import encode_record
from tradeclear.wal.log import Log
from tradeclear.wal.posix import PosixStorage

from .logs import (
    BTC,
    START,
    Exchange,
    damage,
    exchange,
    lines,
    order,
    run,
    tear,
    told,
    trade,
    trading,
)


def seqs(*words: object, code: int = 0) -> list[int]:
    return [line["seq"] for line in lines("cat", *words, "--json", code=code)]


def test_a_line_a_record(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.commit(order("a", "sell", 7_015_050, 25_000), order("b", "buy", 0, 10_000))
    assert told("cat", tmp_path).splitlines() == [
        "       1 2023-11-14T22:13:21.000000Z configure BTC-USD tick 0.01 lot 0.00001; "
        "engine 1 codec 1 -> configured",
        "       2 2023-11-14T22:13:22.000000Z place sell 0.25 BTC-USD at 70150.5 gtc order=a "
        "client=ann -> open, 0.25 left; sell level 70150.5 0.25 in 1",
        "       3 2023-11-14T22:13:23.000000Z place buy 0.1 BTC-USD at market gtc order=b "
        "client=ann -> filled; trade 1: 0.1 at 70150.5 with a of ann, 0.15 left there; "
        "sell level 70150.5 0.15 in 1",
    ]
    records = lines("cat", tmp_path, "--json")
    assert [record["seq"] for record in records] == [1, 2, 3]
    assert records[2]["events"][1]["price"] == 70150.5


def test_across_segments(tmp_path: Path) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    assert seqs(tmp_path) == list(range(1, 32))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--from", "29"), [29, 30, 31]),
        (("--to", "3"), [1, 2, 3]),
        (("--from", "0", "--to", "1"), [1]),
        (("--from", "7", "--to", "7"), [7]),
        (("--from", "9", "--to", "8"), []),
        (("--from", "32"), []),
        (("--from", "-3"), [29, 30, 31]),
        (("--from", "-3", "--to", "-2"), [29, 30]),
        (("--from", "-99", "--to", "2"), [1, 2]),
        (("--from", "2023-11-14T22:13:49Z"), [29, 30, 31]),
        (("--from", "2023-11-14T22:13:48.000001Z"), [29, 30, 31]),
        (("--to", "2023-11-14T22:13:23.999999Z"), [1, 2, 3]),
        (("--from", "2023-11-14T23:13:29+01:00", "--to", "11"), [9, 10, 11]),
        (("--from", "2020-01-01T00:00:00Z", "--to", "1"), [1]),
        (("--from", "2030-01-01T00:00:00Z"), []),
        (("--order", "o8"), [8, 9]),  # placed, and hit by o9
        (("--client", "bob", "--to", "9"), [3, 4, 6, 9]),  # what rests of o3 is hit by o4
        (("--client", "bob", "--order", "o8"), [9]),
        (("--client", "nobody"), []),
    ],
)
def test_filters(tmp_path: Path, words: tuple[str, ...], expected: list[int]) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    assert seqs(tmp_path, *words) == expected
    text = told("cat", tmp_path, *words)
    assert [int(line.split()[0]) for line in text.splitlines()] == expected


def test_prices_from_the_middle_are_those_of_that_place(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.commit(order("a", "buy", 0, 1))
        made.configure(define_instrument("BTC-USD", tick_size="1"))
        made.commit(order("b", "buy", 5, 1), order("c", "buy", 7, 1))
    prices = {
        seq: lines("cat", tmp_path, "--from", seq, "--json")[0]["command"].get("price")
        for seq in (2, 4, 5)
    }
    assert prices == {2: None, 4: 5, 5: 7}


def test_a_pruned_record_is_told(tmp_path: Path) -> None:
    with exchange(tmp_path, segment_bytes_max=600) as made:
        trade(made, 20)
        made.snapshot()
        assert made.log.prune(10)
        first_seq = made.log.first_seq
    assert 1 < first_seq <= 10
    result = run("cat", tmp_path, "--from", "1")
    assert result.exit_code == ExitCode.ERROR
    assert f"record 1 is pruned: the log begins at {first_seq}" in result.stderr
    assert seqs(tmp_path) == list(range(first_seq, 22))
    assert seqs(tmp_path, "--from", "2023-11-14T22:13:20Z") == list(range(first_seq, 22))
    assert lines("cat", tmp_path, "--json")[0]["command"]["price"] >= 100  # decimals, still


def test_everything_before_damage_is_shown(tmp_path: Path) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    damage(tmp_path, frame=10)
    assert seqs(tmp_path, code=ExitCode.LOG_DAMAGED) == list(range(1, 11))


def test_what_is_behind_damage_can_be_looked_at(tmp_path: Path) -> None:
    trading(tmp_path, 30, segment_bytes_max=800)
    damage(tmp_path, frame=10)
    assert seqs(tmp_path, "--from", "25") == list(range(25, 32))
    record = lines("cat", tmp_path, "--from", "25", "--json")[0]
    assert "price_ticks" in record["command"]  # the configuration lies behind the damage


def test_a_torn_tail_is_told(tmp_path: Path) -> None:
    trading(tmp_path, 5)
    offset = tear(tmp_path)
    result = run("cat", tmp_path, "--json")
    assert result.exit_code == ExitCode.ERROR
    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == [1, 2, 3, 4, 5]
    assert re.search(
        rf"at byte {offset}: a torn tail of \d+ bytes, from record 6 on", result.stderr
    )
    assert seqs(tmp_path, "--to", "5") == [1, 2, 3, 4, 5]  # nobody looked at the tail


def test_a_frame_in_flight_is_no_torn_tail(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        trade(made, 4)
        tear(tmp_path)
        assert seqs(tmp_path) == [1, 2, 3, 4]


class Follower:
    """Follows a log in this process: one of `steps` is done at each look, then comes Ctrl-C.

    `seen` are the records that each look brought.
    """

    def __init__(self, capture: pytest.CaptureFixture[bytes], *steps: Callable[[], object]) -> None:
        self.seen: list[list[int]] = []
        self._capture = capture
        self._steps = list(steps)

    def follow(self, directory: Path, **wanted: Any) -> list[list[int]]:
        with closing(PosixStorage(directory)) as storage:
            show(storage, Wanted(follow=True, as_json=True, **wanted), wait=self._wait)
        self._look()
        return self.seen

    def _wait(self, seconds: float) -> None:
        assert seconds == POLL_S
        self._look()
        if not self._steps:
            raise KeyboardInterrupt
        self._steps.pop(0)()

    def _look(self) -> None:
        out = self._capture.readouterr().out
        self.seen.append([json.loads(line)["seq"] for line in out.splitlines()])


def test_following_goes_on_until_ctrl_c(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with exchange(tmp_path, segment_bytes_max=800) as made:
        follower = Follower(
            capsysbinary,
            lambda: trade(made, 2),
            lambda: None,
            lambda: trade(made, 10),  # over several segments
        )
        assert follower.follow(tmp_path) == [[1], [2, 3], [], list(range(4, 14)), []]


def test_following_with_filters(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with exchange(tmp_path) as made:
        trade(made, 5)
        follower = Follower(capsysbinary, lambda: trade(made, 6))
        assert follower.follow(tmp_path, client_id="bob", first=Moment(seq=5)) == [[6], [9, 12], []]


def test_following_ends_by_itself_where_it_is_told_to(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with exchange(tmp_path) as made:
        follower = Follower(capsysbinary, lambda: trade(made, 2), lambda: trade(made, 1))
        assert follower.follow(tmp_path, last=Moment(seq=3)) == [[1], [2, 3]]


def test_following_waits_for_a_log_to_begin(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    begun: list[Exchange] = []

    def begin() -> None:
        begun.append(Exchange(tmp_path))
        begun[0].configure(BTC)

    assert Follower(capsysbinary, begin).follow(tmp_path) == [[], [1], []]
    begun[0].close()


def test_following_passes_by_a_tail_that_was_cut(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    trading(tmp_path, 3)
    tear(tmp_path)

    def restart() -> None:
        with closing(PosixStorage(tmp_path)) as storage, closing(Log.open(storage)) as log:
            log.append(4, [encode_record((4, START, CancelOrder("z"), ()))])

    assert Follower(capsysbinary, restart).follow(tmp_path) == [[1, 2, 3], [4], []]


def test_waiting_notices_that_nobody_reads_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w") as output:
        monkeypatch.setattr("sys.stdout", output)
        wait_for_more(0.001)  # a reader is there: it just passes the time
        os.close(read)
        with pytest.raises(BrokenPipeError):
            wait_for_more(3600)
