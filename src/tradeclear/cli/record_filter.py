"""Which records of a log are shown: from here to there, of one order, of one client."""

from collections.abc import Iterator

from msgspec import Struct

from tradeclear.cli.grids import CONFIGURE_MARK, Grids
from tradeclear.cli.log_records import records_of, times_of
from tradeclear.cli.moments import OPEN, Moment
from tradeclear.model.events import Record
from tradeclear.wal.frame import Frame


class RecordFilter:
    """Picks records out of frames that come in their order, and keeps `grids` up to date meanwhile.

    `over` once it is certain that no later one will be picked. Frames in which an id that is looked
    for does not even occur as bytes are not decoded.
    """

    def __init__(
        self,
        grids: Grids,
        *,
        first: Moment = OPEN,
        last: Moment = OPEN,
        order_id: str | None = None,
        client_id: str | None = None,
    ) -> None:
        self.over = False
        self._grids = grids
        self._first = first
        self._last = last
        self._order_id = order_id
        self._client_id = client_id
        self._sought = [
            sought.encode(errors="replace")
            for sought in (order_id, client_id)
            if sought is not None
        ]

    def records(self, frame: Frame) -> Iterator[Record]:
        """The records of `frame` that are to be shown; take each before the next.

        While one is held, the grids are those that it was made under. Raises `RecordUnreadable`.
        """
        self.over = self.over or self._is_behind(frame)
        if self.over:
            return
        self.over = self._last.seq is not None and frame.last_seq >= self._last.seq
        if not self._may_matter(frame.payload):
            return
        for record in records_of(frame):
            if self._ends_before(record):
                self.over = True
                return
            if self._begins_by(record) and self._concerns(record):
                yield record
            self._grids.note(record)

    def _is_behind(self, frame: Frame) -> bool:
        if self._last.seq is not None:
            return frame.first_seq > self._last.seq
        return self._last.time is not None and times_of(frame)[0] > self._last.time

    def _may_matter(self, payload: bytes) -> bool:
        return CONFIGURE_MARK in payload or all(sought in payload for sought in self._sought)

    def _begins_by(self, record: Record) -> bool:
        first = self._first
        if first.seq is not None:
            return record.seq >= first.seq
        return first.time is None or record.time >= first.time

    def _ends_before(self, record: Record) -> bool:
        last = self._last
        if last.seq is not None:
            return record.seq > last.seq
        return last.time is not None and record.time > last.time

    def _concerns(self, record: Record) -> bool:
        if self._order_id is not None and self._order_id not in ids(record, "order_id"):
            return False
        return self._client_id is None or self._client_id in ids(record, "client_id")


def ids(record: Record, name: str) -> set[str]:
    """Every `order_id` (or `client_id`) in a record: whose it is, taker, maker, cancelled."""
    return {text for value in (record.command, *record.events) for text in _ids(value, name)}


def _ids(value: Struct, name: str) -> Iterator[str]:
    for field in (name, f"buy_{name}", f"sell_{name}"):
        text = getattr(value, field, None)
        if text is not None:
            yield text
    order = getattr(value, "order", None)
    if order is not None:
        yield getattr(order, name)
