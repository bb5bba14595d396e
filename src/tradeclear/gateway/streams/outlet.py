"""A subscriber whose carrier takes one thing after the other: what is told waits here, bounded."""

from typing import Final

import trio

from tradeclear.gateway.streams.message import Encoding
from tradeclear.gateway.streams.streams import Streams
from tradeclear.gateway.streams.subscriber import BACKLOG_BYTES_MAX, NOT_READY, TOO_SLOW


class Outlet:
    """A `Subscriber` for carriers that are written to by a task."""

    ready_descriptor: Final = NOT_READY

    def __init__(self, streams: Streams, encoding: Encoding) -> None:
        self.encoding: Final = encoding
        self.farewell: tuple[int, str] | None = None
        """Code and reason, once it is to be closed."""
        self._streams: Final = streams
        self._waiting: Final[list[bytes | memoryview]] = []
        self._waiting_bytes = 0
        self._busy = False
        self._filled = trio.Event()
        self._room = trio.Event()

    def deliver(self, data: bytes | memoryview) -> None:
        """Keep `data` until the carrier takes it. Nothing follows the farewell."""
        if self.farewell is not None:
            return
        if self._waiting_bytes > BACKLOG_BYTES_MAX:
            self._streams.metrics.stream_cut_off += 1
            self._waiting.clear()
            reason = f"too slow: over {BACKLOG_BYTES_MAX} bytes waited: resume with from_sequence"
            self.dismiss(TOO_SLOW, reason)
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._filled.set()

    def dismiss(self, code: int, reason: str) -> None:
        """Have the carrier say why and close, after what waits."""
        if self.farewell is None:
            self.farewell = (code, reason)
            self._streams.exit(self)
            self._filled.set()

    async def take(self) -> bytes:
        """All that waits, when there is any; nothing if the farewell is next. For the carrier."""
        self._busy = False
        if not self._waiting:
            self._room.set()
        while not (self._waiting or self.farewell):
            self._filled = trio.Event()
            await self._filled.wait()
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._busy = bool(data)
        return data

    async def wait_room(self) -> None:
        """Until the carrier has taken everything; for ever, if it is to be closed."""
        while self._waiting or self._busy or self.farewell is not None:
            self._room = trio.Event()
            await self._room.wait()
        await trio.lowlevel.checkpoint()
