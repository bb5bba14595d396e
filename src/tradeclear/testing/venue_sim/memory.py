"""The simulated venue without sockets: Trio's autojump clock can run through its bad days."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import trio
from trio.testing import memory_stream_pair
from trio_websocket import WebSocketConnection

from tradeclear.testing.venue_sim.server import Door
from tradeclear.testing.venue_sim.venue import Venue
from tradeclear.venues.errors import VenueBusy, VenueUnavailable
from tradeclear.venues.messages import Snapshot, read_levels
from tradeclear.venues.web_socket import open_over


class MemoryVenue:
    """A venue at play, and the ways to it: `connect` for a `Stream`, `depth` as `Snapshots`."""

    def __init__(self, venue: Venue, nursery: trio.Nursery) -> None:
        self._venue: Final = venue
        self._nursery: Final = nursery
        self._door: Final = Door(venue)
        nursery.start_soon(venue.run)
        nursery.start_soon(venue.hub.run)
        nursery.start_soon(self._door.watch)

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[WebSocketConnection]:
        """A WebSocket to the venue. Raises `VenueUnavailable` during an outage."""
        self._check_out()
        ours, theirs = memory_stream_pair()
        self._nursery.start_soon(self._door.handle, theirs)
        stream: Any = ours  # any stream will do
        async with open_over(stream, url) as socket:
            yield socket

    async def depth(self, levels: int) -> Snapshot:
        """A REST snapshot. Raises `VenueUnavailable`."""
        self._check_out()
        target = f"/api/v3/depth?symbol={self._venue.symbol}&limit={levels}"
        reply = await self._door.rest.answer("GET", target, b"")
        if reply.status in (418, 429):
            raise VenueBusy(f"status {reply.status}", float(dict(reply.headers)["Retry-After"]))
        if reply.status != 200:
            raise VenueUnavailable(f"status {reply.status}")
        told: Any = msgspec.json.decode(reply.body)
        return Snapshot(told["lastUpdateId"], read_levels(told["bids"]), read_levels(told["asks"]))

    def _check_out(self) -> None:
        if self._venue.faults.lasting("outage", trio.current_time()) is not None:
            raise VenueUnavailable("the venue is out")
