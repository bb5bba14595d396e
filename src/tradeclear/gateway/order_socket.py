"""`WS /ws/orders` behind Quart: for where the front door is off. The front door has its own."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import trio
from quart import websocket

from tradeclear.gateway.order_messages import OrderMessages
from tradeclear.gateway.order_session import TURN_COMMANDS_MAX, UNDER_WAY_MAX, OrderSession

PATH: Final = "/ws/orders"
INVALID_DATA: Final = 1007

UNSENT_MAX: Final = 4_096
"""With so many replies that the client has not taken, nothing more is begun."""


class _Socket:
    """One connection: commands under way, replies on their way out."""

    def __init__(self, messages: OrderMessages, address: str) -> None:
        self._session: Final = OrderSession(messages, address, self._send)
        self._unsent = 0
        self._changed = trio.Event()
        # Never full: it has room for all that may be there when the last commands are begun.
        self._replies, self._outgoing = trio.open_memory_channel[bytes](
            UNSENT_MAX + UNDER_WAY_MAX + TURN_COMMANDS_MAX
        )

    async def read(self) -> None:
        """Begin what comes, while not too much is under way."""
        while True:
            data = await websocket.receive()
            if not self._session.take(data.encode() if isinstance(data, str) else data):
                await websocket.close(INVALID_DATA)
                return
            while not self._session.room or self._unsent >= UNSENT_MAX:
                await self._go_on()

    async def _go_on(self) -> None:
        """Begin more of what was read, or wait until that is possible."""
        if self._session.blocked or self._unsent >= UNSENT_MAX:
            self._changed = trio.Event()
            await self._changed.wait()
        else:
            await trio.lowlevel.checkpoint()
            self._session.go_on()

    async def write(self) -> None:
        """Send the replies in the order in which they came."""
        async for text in self._outgoing:
            await websocket.send(text.decode())
            self._unsent -= 1
            self._changed.set()

    def _send(self, text: bytes) -> None:
        self._unsent += 1
        self._changed.set()
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            self._replies.send_nowait(text)

    def close(self) -> None:
        """Nobody listens any more."""
        self._outgoing.close()


def order_socket(messages: OrderMessages) -> Callable[[], Awaitable[None]]:
    """The handler of a connection; ends with it. What it took takes effect all the same."""

    async def handle() -> None:
        scope: Any = websocket.scope
        socket = _Socket(messages, (scope.get("client") or ("", 0))[0])
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(socket.write)
                await socket.read()
                nursery.cancel_scope.cancel()
        finally:
            socket.close()

    return handle
