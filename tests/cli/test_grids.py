"""The grids at a place in the log are those of the instruments that were in force there."""

from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from tradeclear.cli.grids import CONFIGURE_MARK, UNKNOWN, Grids, grids_before
from tradeclear.model.commands import Configure, Limits
from tradeclear.model.events import CommandRefused, Configured, Record
from tradeclear.model.instrument import define_instrument
from tradeclear.wal.codec import encode_record
from tradeclear.wal.posix import PosixFile, PosixStorage

from .logs import BTC, Exchange, damage, order

COARSE = define_instrument("BTC-USD", tick_size="1")
ETH = define_instrument("ETH-USD")
FINE, COARSER = "12.34", "1234"
RECORDS = 12


def price(directory: Path, seq: int) -> str:
    """How 1,234 ticks are written at record `seq`."""
    with closing(PosixStorage(directory)) as storage:
        return grids_before(storage, seq).of("BTC-USD").price_text(1_234)


def regridded(directory: Path, *, snapshots_after: tuple[int, ...] = ()) -> None:
    """BTC-USD at a tick of 0.01 by record 1 and of 1 by record 5; orders between, which don't rest.

    Two segments at least, a record a commit.
    """
    made = Exchange(directory, segment_bytes_max=600)
    for seq in range(1, RECORDS + 1):
        if seq in (1, 5):
            made.configure(BTC if seq == 1 else COARSE)
        else:
            made.commit(order(f"o{seq}", "buy", 0, 1))
        if seq in snapshots_after:
            made.snapshot()
    made.close()


def forget(directory: Path, first_seq: int) -> None:
    """Prune by hand every segment that ends before `first_seq`."""
    names = sorted(path.name for path in directory.glob("wal-*.log"))
    for name, following in pairwise(names):
        if int(following[4:24]) <= first_seq:
            (directory / name).unlink()


@pytest.mark.parametrize("snapshots_after", [(), (1,), (3,), (5,), (9,), (3, 9), (RECORDS,)])
def test_they_are_found_from_anywhere(tmp_path: Path, snapshots_after: tuple[int, ...]) -> None:
    regridded(tmp_path, snapshots_after=snapshots_after)
    found = {seq: price(tmp_path, seq) for seq in range(2, RECORDS + 2)}
    assert found == {seq: FINE if seq <= 5 else COARSER for seq in range(2, RECORDS + 2)}


def test_before_the_first_configuration_nothing_is_known(tmp_path: Path) -> None:
    regridded(tmp_path, snapshots_after=(9,))
    assert price(tmp_path, 1) == "1234_ticks"


def test_a_pruned_log_is_read_by_a_later_snapshot(tmp_path: Path) -> None:
    regridded(tmp_path, snapshots_after=(9,))
    forget(tmp_path, 9)
    first_seq = int(min(path.name for path in tmp_path.glob("wal-*.log"))[4:24])
    assert first_seq > 5
    assert price(tmp_path, first_seq) == COARSER


def test_what_a_later_snapshot_does_not_know_for_certain_is_unknown(tmp_path: Path) -> None:
    regridded(tmp_path, snapshots_after=(9,))
    (tmp_path / "wal-00000000000000000001.log").unlink()
    assert price(tmp_path, 5) == "1234_ticks"
    assert price(tmp_path, 6) == COARSER


def test_damage_before_leaves_what_a_snapshot_knows(tmp_path: Path) -> None:
    regridded(tmp_path, snapshots_after=(8,))
    damage(tmp_path, frame=1)
    assert price(tmp_path, 6) == COARSER
    assert price(tmp_path, 4) == "1234_ticks"


def test_what_can_be_had_is_had_an_instrument_at_a_time(tmp_path: Path) -> None:
    made = Exchange(tmp_path)
    made.configure(BTC, ETH)
    made.commit(order("o2", "buy", 0, 1))
    made.configure(COARSE, ETH)
    made.snapshot()
    made.close()
    damage(tmp_path, frame=0)
    with closing(PosixStorage(tmp_path)) as storage:
        grids = grids_before(storage, 3)
    assert grids.of("BTC-USD") is UNKNOWN
    assert grids.of("ETH-USD").price_text(1_234) == "12.34"


class Spy(PosixStorage):
    """Notes what is opened."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.opened: list[str] = []

    def open(self, name: str, *, write: bool = False) -> PosixFile:
        self.opened.append(name)
        return super().open(name, write=write)


@pytest.mark.parametrize("seq", [6, 9, 10])
def test_with_a_snapshot_that_knows_enough_the_log_is_not_read(tmp_path: Path, seq: int) -> None:
    regridded(tmp_path, snapshots_after=(9,))
    with closing(Spy(tmp_path)) as storage:
        assert grids_before(storage, seq).of("BTC-USD").price_text(1_234) == COARSER
        assert storage.opened == ["snapshot-00000000000000000009.snap"]


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    regridded(tmp_path, snapshots_after=(3, 9))
    for snapshot in tmp_path.glob("snapshot-*.snap"):
        snapshot.write_bytes(b"\0" * snapshot.stat().st_size)
    assert (price(tmp_path, 4), price(tmp_path, 9)) == (FINE, COARSER)


def test_an_empty_directory_knows_nothing(tmp_path: Path) -> None:
    assert price(tmp_path, 1) == "1234_ticks"


def configuring(*events: Configured | CommandRefused) -> Record:
    return Record(5, 5, Configure((COARSE,), Limits()), events)


def test_a_configuration_counts_once_it_is_in_force() -> None:
    grids = Grids((BTC,))
    grids.note(configuring(CommandRefused(207)))
    assert grids.of("BTC-USD").price_text(1_234) == FINE
    grids.note(configuring(Configured()))
    assert grids.of("BTC-USD").price_text(1_234) == COARSER
    assert grids.of("ETH-USD") is UNKNOWN


def test_every_configuration_carries_the_mark_that_it_is_found_by() -> None:
    assert CONFIGURE_MARK in encode_record(Record(1, 1, Configure((), Limits()), ()))
