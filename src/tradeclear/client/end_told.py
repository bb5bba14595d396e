"""A stream that tells when nothing more will come."""

from typing import Final

import trio


class EndTold(trio.abc.Stream):
    """Cancels `waiting` at the stream's end.

    trio-websocket's handshake waits for ever for a peer that has hung up.
    """

    def __init__(self, stream: trio.abc.Stream, waiting: trio.CancelScope) -> None:
        self._stream: Final = stream
        self._waiting: Final = waiting

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, and look for the end."""
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            self._waiting.cancel()
            raise

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for room."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive, and look for the end."""
        try:
            data = await self._stream.receive_some(max_bytes)
        except trio.BrokenResourceError:
            self._waiting.cancel()
            raise
        if not data:
            self._waiting.cancel()
        return data

    async def aclose(self) -> None:
        """Close, which is an end as well."""
        self._waiting.cancel()
        await self._stream.aclose()
