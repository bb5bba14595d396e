"""Binance's rules for a local book: what waits, what is dropped, what fits, what begins again."""

from typing import Any

import pytest

from tradeclear.venues import synchronizer as module
from tradeclear.venues.messages import Diff, Snapshot, Ticker
from tradeclear.venues.synchronizer import Synchronizer


def diff(first: int, last: int, *, bid: int = 100, quantity: int | None = None) -> Diff:
    """Updates `first` to `last`; the quantity says which they were."""
    return Diff(first, last, ((bid, last if quantity is None else quantity),), ())


def snapshot(update_id: int) -> Snapshot:
    return Snapshot(update_id, ((100, update_id), (99, 1)), ((200, 1),))


def best(synchronizer: Synchronizer) -> Any:
    assert synchronizer.book is not None
    return synchronizer.book.update_id, synchronizer.book.bids.best()


def in_step(update_id: int = 10) -> Synchronizer:
    synchronizer = Synchronizer()
    assert synchronizer.take_snapshot(snapshot(update_id))
    return synchronizer


def test_diffs_wait_for_the_snapshot_and_old_ones_are_dropped() -> None:
    synchronizer = Synchronizer()
    for one in (diff(1, 5), diff(6, 10), diff(11, 15), diff(16, 20)):
        assert synchronizer.take(one) == "waiting"
    assert synchronizer.take_snapshot(snapshot(10))
    assert best(synchronizer) == (20, (100, 20))


def test_a_snapshot_in_the_middle_of_a_diff_fits() -> None:
    synchronizer = Synchronizer()
    synchronizer.take(diff(6, 12))
    assert synchronizer.take_snapshot(snapshot(10))
    assert best(synchronizer) == (12, (100, 12))


def test_a_snapshot_older_than_the_first_diff_is_refused_and_a_newer_one_taken() -> None:
    synchronizer = Synchronizer()
    synchronizer.take(diff(12, 15))
    assert not synchronizer.take_snapshot(snapshot(10))
    assert synchronizer.book is None
    assert synchronizer.take_snapshot(snapshot(11))
    assert best(synchronizer) == (15, (100, 15))


def test_a_snapshot_newer_than_all_is_the_book() -> None:
    synchronizer = Synchronizer()
    synchronizer.take(diff(1, 5))
    assert synchronizer.take_snapshot(snapshot(10))
    assert best(synchronizer) == (10, (100, 10))
    assert synchronizer.take(diff(9, 12)) == "applied"


def test_what_waited_with_a_gap_in_it_is_no_book() -> None:
    synchronizer = Synchronizer()
    synchronizer.take(diff(10, 12))
    synchronizer.take(diff(14, 15))
    assert not synchronizer.take_snapshot(snapshot(10))
    assert synchronizer.take_snapshot(snapshot(13))
    assert best(synchronizer) == (15, (100, 15))


def test_each_diff_must_reach_the_one_before() -> None:
    synchronizer = in_step(10)
    assert synchronizer.take(diff(11, 12)) == "applied"
    assert synchronizer.take(diff(11, 12, quantity=7)) == "old"
    assert best(synchronizer) == (12, (100, 12))
    assert synchronizer.take(diff(14, 15)) == "gap"
    assert synchronizer.book is None
    assert synchronizer.has_diffs
    assert synchronizer.take(diff(16, 17)) == "waiting"
    assert synchronizer.take_snapshot(snapshot(14))
    assert best(synchronizer) == (17, (100, 17))


def test_after_a_gap_the_old_book_is_left_as_it_was() -> None:
    synchronizer = in_step(10)
    book = synchronizer.book
    assert book is not None
    synchronizer.take(diff(12, 13))
    assert (book.update_id, book.bids.best()) == (10, (100, 10))


def test_a_book_that_crosses_is_lost() -> None:
    synchronizer = in_step(10)
    assert synchronizer.take(diff(11, 11, bid=200)) == "crossed"
    assert synchronizer.book is None


def test_a_crossed_snapshot_is_refused() -> None:
    assert not Synchronizer().take_snapshot(Snapshot(1, ((5, 1),), ((5, 1),)))


@pytest.mark.parametrize(("quantity", "step"), [(12, "applied"), (13, "different")])
def test_the_venues_word_on_the_same_update_is_compared(quantity: int, step: str) -> None:
    synchronizer = in_step(10)
    synchronizer.take_ticker(Ticker(11, (1, 1), (2, 2)))  # within the diff: not comparable
    synchronizer.take_ticker(Ticker(12, (100, quantity), (200, 1)))
    synchronizer.take_ticker(Ticker(13, (100, 13), (200, 1)))
    assert synchronizer.take(diff(11, 12)) == step
    assert synchronizer.compared == (step == "applied")


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICKERS_MAX", 5)
    synchronizer = Synchronizer()
    for update in range(module.DIFFS_MAX + 10):
        synchronizer.take(diff(update, update))
        synchronizer.take_ticker(Ticker(10**6 + update, (1, 1), (2, 2)))
    assert len(synchronizer._waiting) == module.DIFFS_MAX
    assert len(synchronizer._tickers) == 5
    assert not synchronizer.take_snapshot(snapshot(8))
    assert synchronizer.take_snapshot(snapshot(9))


def test_begun_again_it_knows_nothing() -> None:
    synchronizer = in_step()
    synchronizer.take_ticker(Ticker(50, (1, 1), (2, 2)))
    synchronizer.begin_again()
    assert synchronizer.book is None
    assert not synchronizer.has_diffs
    assert synchronizer.take_snapshot(snapshot(49))
    assert synchronizer.take(diff(50, 50)) == "applied"
