"""The rule: the durable past in pages, in order, to what was durable when it was asked for."""

from typing import Any

import pytest

from tradeclear.model.commands import CancelOrder
from tradeclear.pipeline import backlog as module
from tradeclear.pipeline.backlog import Backlog
from tradeclear.wal import RecordPruned


async def read(backlog: Backlog, from_seq: int) -> list[list[int]]:
    """The sequences, a list a page."""
    pages = backlog.read(from_seq)
    found = []
    while page := await pages.next():
        found.append([record.seq for record in page])
    pages.close()
    return found


async def test_pages(rig: Any, running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_RECORDS_MAX", 4)
    async with running():
        for number in range(9):
            await rig.submit(CancelOrder(str(number)))
        backlog = Backlog(rig.log)
        assert await read(backlog, 1) == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
        assert await read(backlog, 6) == [[6, 7, 8, 9], [10]]
        assert await read(backlog, 11) == []


async def test_records_are_whole(rig: Any, running: Any) -> None:
    async with running():
        await rig.submit(CancelOrder("unknown"))
        pages = Backlog(rig.log).read(2)
        (record,) = await pages.next()
        pages.close()
        assert (record.seq, record.command.order_id, len(record.events)) == (2, "unknown", 1)


async def test_closed_in_the_middle(
    rig: Any, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_RECORDS_MAX", 1)
    async with running():
        await rig.submit(CancelOrder("unknown"))
        pages = Backlog(rig.log).read(1)
        assert len(await pages.next()) == 1
        pages.close()
        assert await pages.next() == []


async def test_what_is_pruned(rig: Any, running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running():
        monkeypatch.setattr(type(rig.log), "first_seq", 5)
        backlog = Backlog(rig.log)
        assert backlog.first_seq == 5
        with pytest.raises(RecordPruned):
            await backlog.read(1).next()
