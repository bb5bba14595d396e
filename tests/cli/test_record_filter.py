"""What is picked: the range, both ends included, and what concerns an order or a client."""

from pathlib import Path

import pytest

from tradeclear.cli.grids import Grids
from tradeclear.cli.moments import OPEN, Moment
from tradeclear.cli.record_filter import RecordFilter
from tradeclear.model.commands import AmendOrder, CancelAll, CancelOrder, Configure, Limits
from tradeclear.model.instrument import define_instrument
from tradeclear.wal.frame import Frame

from .logs import BTC, SECOND, START, exchange, frames, order

ETH = define_instrument("ETH-USD")


@pytest.fixture
def log(tmp_path: Path) -> list[Frame]:
    with exchange(tmp_path) as made:  # 1
        made.commit(order("ask-1", "sell", 100, 5, client="bob"))  # 2
        made.commit(  # 3, 4, 5
            order("bid-1", "buy", 100, 3),
            order("bid-2", "buy", 99, 7, client="cyd"),
            order("ask-10", "sell", 200, 5, client="bobby"),
        )
        made.commit(AmendOrder("bid-2", quantity=6), CancelOrder("ask-1"))  # 6, 7
        made.commit(CancelAll("cyd"), CancelOrder("ask-1"), CancelOrder("bid-9"))  # 8, 9, 10
    return frames(tmp_path)


def picked(log: list[Frame], **wanted: object) -> list[int]:
    chosen = RecordFilter(Grids(), **wanted)  # type: ignore[arg-type]
    return [record.seq for frame in log for record in chosen.records(frame)]


def test_everything_by_default(log: list[Frame]) -> None:
    assert picked(log) == list(range(1, 11))


@pytest.mark.parametrize("first", range(12))
@pytest.mark.parametrize("last", range(12))
def test_both_ends_are_included(log: list[Frame], first: int, last: int) -> None:
    expected = [seq for seq in range(1, 11) if first <= seq <= last]
    assert picked(log, first=Moment(seq=first), last=Moment(seq=last)) == expected
    times = [Moment(time=START + seq * SECOND) for seq in (first, last)]
    assert picked(log, first=times[0], last=times[1]) == expected
    between = Moment(time=START + last * SECOND + 1)
    assert picked(log, first=Moment(seq=first), last=between) == expected


@pytest.mark.parametrize(
    ("order_id", "seqs"),
    [
        ("ask-1", [2, 3, 7, 9]),  # placed, maker, cancelled, cancelled again: refused
        ("bid-1", [3]),  # taker
        ("bid-2", [4, 6, 8]),  # placed, amended, cancelled with all of its client's
        ("ask-10", [5]),
        ("bid-9", [10]),  # unknown
        ("ask", []),
        ("", []),
    ],
)
def test_an_order_s_records(log: list[Frame], order_id: str, seqs: list[int]) -> None:
    assert picked(log, order_id=order_id) == seqs


@pytest.mark.parametrize(
    ("client_id", "seqs"),
    [("bob", [2, 3, 7, 9]), ("ann", [3]), ("cyd", [4, 6, 8]), ("bobby", [5]), ("\udcff", [])],
)
def test_a_client_s_records(log: list[Frame], client_id: str, seqs: list[int]) -> None:
    assert picked(log, client_id=client_id) == seqs


def test_filters_add_up(log: list[Frame]) -> None:
    assert picked(log, order_id="ask-1", client_id="ann") == [3]
    assert picked(log, order_id="ask-1", first=Moment(seq=4)) == [7, 9]


def test_it_knows_when_no_more_can_come(log: list[Frame]) -> None:
    """A follower must end by itself; the frame that holds the last record is enough to know."""
    chosen = RecordFilter(Grids(), last=Moment(seq=4), order_id="nobody's")
    over = []
    for frame in log:
        list(chosen.records(frame))
        over.append(chosen.over)
    assert over == [False, False, True, True, True]
    by_time = RecordFilter(Grids(), last=Moment(time=START + 5 * SECOND), order_id="nobody's")
    over = []
    for frame in log:
        list(by_time.records(frame))
        over.append(by_time.over)
    assert over == [False, False, False, True, True]


def test_grids_are_those_of_each_record_also_where_none_is_picked(tmp_path: Path) -> None:
    with exchange(tmp_path) as made:
        made.commit(
            order("o2", "buy", 100, 5, instrument="ETH-USD"),
            Configure(instruments=(BTC, ETH), limits=Limits()),
            order("o4", "buy", 100, 5, instrument="ETH-USD"),
        )
        made.commit(order("o5", "buy", 100, 5, instrument="ETH-USD"))
    grids = Grids()
    chosen = RecordFilter(grids, order_id="o5")
    seen = [
        (record.seq, grids.of("ETH-USD").price_text(100))
        for frame in frames(tmp_path)
        for record in chosen.records(frame)
    ]
    assert seen == [(5, "1")]
    grids = Grids()
    seen = [
        (record.seq, grids.of("ETH-USD").price_text(100))
        for frame in frames(tmp_path)
        for record in RecordFilter(grids, first=OPEN).records(frame)
    ]
    assert seen == [(1, "100_ticks"), (2, "100_ticks"), (3, "100_ticks"), (4, "1"), (5, "1")]
