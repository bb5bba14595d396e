"""Order entry over one WebSocket, as many commands under way as you like to wait for.

Commands go out in the order in which they were asked for. After a loss of the connection all that
was not answered is asked again, in the same order and with the same keys.
"""

import math
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio
from msgspec import Struct
from msgspec.structs import replace

from tradeclear.client.answer import Answer, reader
from tradeclear.client.backoff import Patience
from tradeclear.client.commands import Command
from tradeclear.client.errors import ClientError, Disconnected, NotUnderstood, Unreachable
from tradeclear.client.order_entry import OrderEntry
from tradeclear.client.reconnecting import keep_connected
from tradeclear.client.tending import tended_nursery
from tradeclear.client.websocket import WebSocket, websocket_url

PATH: Final = "/ws/orders"
UNDER_WAY_MAX: Final = 1_024
"""So many commands are under way at once; more wait."""

MESSAGE_COMMANDS_MAX: Final = 64
"""So many commands go out in one message."""


class _Head(Struct):
    """What every reply says."""

    status: int
    id: int | None = None
    replayed: bool = False


_read_head: Final = reader(_Head)


class _UnderWay:
    """A command that has no answer yet."""

    def __init__(self, text: bytes) -> None:
        self.text: Final = text
        self.sent = False
        self.done = trio.Event()
        self.answer: Answer | ClientError | None = None

    def end(self, answer: Answer | ClientError) -> None:
        self.answer = answer
        self.done.set()


class OrderSocket:
    """Carries commands (see `order_entry.Carrier`), over one connection after the other."""

    def __init__(self, url: str, patience: Patience) -> None:
        self._url: Final = websocket_url(url, PATH)
        self._patience: Final = patience
        self._room: Final = trio.Semaphore(UNDER_WAY_MAX)
        self._under_way: Final[dict[int, _UnderWay]] = {}
        self._unsent: Final[deque[int]] = deque()
        self._something_to_send = trio.Event()
        self._last_id = 0
        self._broken: ClientError | None = None

    async def carry(self, command: Command, text: bytes) -> Answer:
        """Ask once, which may take several connections.

        Raises `Unreachable` if nothing was sent in `reply_s_max`, `Disconnected` if no answer came
        in that time. Cancelled, the command may or may not have been taken.
        """
        async with self._room:
            if self._broken is not None:
                raise self._broken
            number = self._last_id = self._last_id + 1
            entry = _UnderWay(b'{"id":%d,%b' % (number, text[1:]))
            self._under_way[number] = entry
            self._unsent.append(number)
            self._something_to_send.set()
            try:
                with trio.move_on_after(self._patience.reply_s_max):
                    await entry.done.wait()
            finally:
                del self._under_way[number]
        if isinstance(entry.answer, ClientError):
            raise entry.answer
        if entry.answer is None:
            late = f"no answer in {self._patience.reply_s_max:g} s"
            raise Disconnected(late) if entry.sent else Unreachable(late)
        return entry.answer

    async def run(self) -> None:
        """Keep a connection up for ever; returns only when that can't be done."""
        patience = replace(self._patience, give_up_s=math.inf)  # who waits for an answer gives up
        self._broken = await keep_connected(self._url, self._talk, patience)
        for entry in self._under_way.values():
            entry.end(self._broken)

    async def _talk(self, socket: WebSocket, worked: Callable[[], None]) -> None:
        """Ask again whatever has no answer, then go on."""
        self._unsent.clear()
        self._unsent.extend(
            number for number, entry in self._under_way.items() if entry.answer is None
        )
        self._something_to_send.set()
        async with tended_nursery() as nursery:
            nursery.start_soon(self._write, socket)
            await self._read(socket, worked)

    async def _write(self, socket: WebSocket) -> None:
        """Send what is to be sent, as much at a time as there is."""
        try:
            while True:
                await self._something_to_send.wait()
                if texts := self._take_unsent():
                    await socket.send(b"[%b]" % b",".join(texts))
                else:
                    self._something_to_send = trio.Event()
        except Disconnected:
            pass  # the reader hears of it too

    def _take_unsent(self) -> list[bytes]:
        texts: list[bytes] = []
        while self._unsent and len(texts) < MESSAGE_COMMANDS_MAX:
            entry = self._under_way.get(self._unsent.popleft())
            if entry is not None:
                entry.sent = True
                texts.append(entry.text)
        return texts

    async def _read(self, socket: WebSocket, worked: Callable[[], None]) -> None:
        """Hand answers to those who wait. Raises `Disconnected` or `NotUnderstood`."""
        while True:
            message = await socket.receive()
            text = message.encode() if isinstance(message, str) else message
            worked()
            head = _read_head(text)
            if head.id is None:
                raise NotUnderstood(f"a reply to nothing: {text[:200]!r}")
            entry = self._under_way.get(head.id)
            if entry is not None:
                entry.end(Answer(head.status, text, head.replayed))


@asynccontextmanager
async def open_order_socket(
    url: str, client_id: str, patience: Patience
) -> AsyncGenerator[OrderEntry]:
    """Order entry over `WS /ws/orders` of the exchange at `url`, kept up in the background."""
    socket = OrderSocket(url, patience)
    async with tended_nursery() as nursery:
        nursery.start_soon(socket.run)
        yield OrderEntry(client_id, socket, patience)
