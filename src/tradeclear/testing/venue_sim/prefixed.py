"""A stream of which the first bytes were read already."""

from typing import Final

import trio


class Prefixed(trio.abc.Stream):
    """`stream`, with `first` before all that comes from it."""

    def __init__(self, stream: trio.abc.Stream, first: bytes) -> None:
        self._stream: Final = stream
        self._first = first

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._first:
            await trio.lowlevel.checkpoint()
            end = len(self._first) if max_bytes is None else max_bytes
            first, self._first = self._first[:end], self._first[end:]
            return first
        return bytes(await self._stream.receive_some(max_bytes))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()
