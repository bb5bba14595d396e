"""A recorded market: gzip text, a message a line, the local time in ns before the raw JSON.

Messages are those of a combined stream, and one is the REST snapshot. The replay pauses there until
somebody has asked for the book, so that whoever listens from the beginning misses nothing, however
fast the replay is.
"""

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Raw, Struct

from tradeclear.testing.venue_sim.published import Published, SimDiff
from tradeclear.testing.venue_sim.sim_book import Pair, SimBook


class RecordingUnreadable(Exception):
    """The files are no recording. The text says which line is wrong, or what is missing."""


class _Line(Struct):
    stream: str = ""
    data: Raw = Raw()
    update_id: int = msgspec.field(name="lastUpdateId", default=0)
    bids: list[Pair] = []
    asks: list[Pair] = []


class _Depth(Struct):
    last: int = msgspec.field(name="u")
    bids: list[Pair] = msgspec.field(name="b")
    asks: list[Pair] = msgspec.field(name="a")


_read_line: Final = msgspec.json.Decoder(_Line).decode
_read_depth: Final = msgspec.json.Decoder(_Depth).decode


class Recording:
    """The messages of `files`, one after the other, as a market."""

    def __init__(self, files: Iterable[Path]) -> None:
        """Looks for the snapshot and the symbol. Raises `RecordingUnreadable`. Blocking."""
        self._files: Final = tuple(files)
        snapshot: _Line | None = None
        self.symbol = ""
        for _at, line in self._lines():
            if line.update_id:
                snapshot = line
            else:
                self.symbol = line.stream.partition("@")[0].upper()
            if snapshot is not None and self.symbol:
                break
        if snapshot is None:
            raise RecordingUnreadable("the recording has no REST snapshot (lastUpdateId)")
        self._snapshot: Final = snapshot

    def book(self) -> SimBook:
        """The recorded snapshot."""
        return SimBook(self._snapshot.update_id, self._snapshot.bids, self._snapshot.asks)

    def messages(self) -> Iterator[Published]:
        """Everything that was recorded; the snapshot is a pause."""
        begin: int | None = None
        for at_ns, line in self._lines():
            begin = at_ns if begin is None else begin
            at_s = (at_ns - begin) / 1e9
            if line.update_id:
                yield Published(at_s, pause=True)
                continue
            diff = None
            if "@depth" in line.stream:
                depth = _read_depth(line.data)
                diff = SimDiff(depth.last, depth.bids, depth.asks)
            yield Published(at_s, line.stream, bytes(line.data), diff)

    def _lines(self) -> Iterator[tuple[int, _Line]]:
        for file in self._files:
            read = 0
            try:
                with gzip.open(file, "rb") as lines:
                    for text in lines:
                        at_ns, _, message = text.partition(b" ")
                        yield int(at_ns), _read_line(message)
                        read += 1
            except (OSError, EOFError, ValueError, msgspec.DecodeError) as error:
                raise RecordingUnreadable(f"{file}, line {read + 1}: {error}") from None
