"""`WS /ws/orders` behind Quart: for where the front door is off. The front door has its own."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import trio
from quart import websocket

from tradeclear.gateway.order_messages import ELEMENTS_MAX, OrderMessages

PATH: Final = "/ws/orders"
IN_FLIGHT_MAX: Final = 4_096
INVALID_DATA: Final = 1007


class _Session:
    """One connection: commands under way, replies on their way out."""

    def __init__(self, messages: OrderMessages, address: str) -> None:
        self._messages: Final = messages
        self._address: Final = address
        self._under_way = 0
        self._room = trio.Event()
        # Never full: what is under way is bounded, and a message adds a bounded number.
        self._replies, self._outgoing = trio.open_memory_channel[bytes](
            IN_FLIGHT_MAX + ELEMENTS_MAX
        )

    async def read(self) -> None:
        """Begin what comes, while not too much is under way."""
        while True:
            data = await websocket.receive()
            text = data.encode() if isinstance(data, str) else data
            begun = self._messages.take(text, self._address, self._tell)
            if begun is None:
                await websocket.close(INVALID_DATA)
                return
            self._under_way += begun
            while self._under_way > IN_FLIGHT_MAX:
                self._room = trio.Event()
                await self._room.wait()

    async def write(self) -> None:
        """Send the replies in the order in which they came."""
        async for text in self._outgoing:
            await websocket.send(text.decode())
            self._under_way -= 1
            self._room.set()

    def _tell(self, text: bytes) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            self._replies.send_nowait(text)

    def close(self) -> None:
        """Nobody listens any more."""
        self._outgoing.close()


def order_socket(messages: OrderMessages) -> Callable[[], Awaitable[None]]:
    """The handler of a connection; ends with it. What it took takes effect all the same."""

    async def handle() -> None:
        scope: Any = websocket.scope
        session = _Session(messages, (scope.get("client") or ("", 0))[0])
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.write)
                await session.read()
                nursery.cancel_scope.cancel()
        finally:
            session.close()

    return handle
