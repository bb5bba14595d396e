"""`WS /ws/depth` out of a copy: the top levels, then the levels that changed; quantity 0 is gone.

Whoever is slow gets fewer and newer messages: nothing waits for anyone.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import trio
from msgspec import Struct
from quart import websocket

from tradeclear.gateway.copies.book import find_book
from tradeclear.model.errors import InvalidField
from tradeclear.pipeline.book_image import BookImage, BookLevel, CopyUnavailable
from tradeclear.pipeline.ports import BookCopies

PATH: Final = "/ws/depth"
TOP_LEVELS: Final = 10
TRY_AGAIN: Final = 1013


class Subscribe(Struct, frozen=True, forbid_unknown_fields=True):
    """`{"subscribe":"BTC-USD"}`"""

    subscribe: str


_decode: Final = msgspec.json.Decoder(Subscribe).decode


class _Socket:
    """One connection, and what it has been told of one book."""

    def __init__(self, copies: BookCopies) -> None:
        self._copies: Final = copies
        self._name = find_book(copies, None)
        self._told: BookImage | None = None
        self._over = trio.CancelScope()

    async def run(self) -> None:
        """Serve until the client goes, or the copy is not fit to be shown."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            try:
                await self._write()
            except CopyUnavailable as error:
                await websocket.close(TRY_AGAIN, str(error)[:120])
            nursery.cancel_scope.cancel()

    async def _write(self) -> None:
        while True:
            with trio.CancelScope() as self._over:
                top = await self._copies.newer_top(self._name, self._told)
            if self._over.cancelled_caught:
                continue
            told, self._told = self._told, top
            text = changes(told, top)
            if text is not None:
                await websocket.send(text)

    async def _read(self) -> None:
        """Answer what comes: another book, or what is wrong with the message."""
        while True:
            data = await websocket.receive()
            try:
                name = find_book(self._copies, _decode(data).subscribe)
            except CopyUnavailable:
                continue  # the other task says so
            except (msgspec.MsgspecError, InvalidField, UnicodeDecodeError) as error:
                await websocket.send(_say(error=f'{error}: send {{"subscribe":"BTC-USD"}}'))
                continue
            await websocket.send(_say(subscribed=name))
            self._name, self._told = name, None
            self._over.cancel()


def copy_socket(copies: BookCopies, connections_max: int) -> Callable[[], Awaitable[None]]:
    """The handler of a connection; ends with it."""
    connections = 0

    async def handle() -> None:
        nonlocal connections
        await websocket.accept()
        if connections >= connections_max:
            await websocket.close(TRY_AGAIN, "too many connections: come back later")
            return
        connections += 1
        try:
            await _Socket(copies).run()
        except CopyUnavailable as error:
            await websocket.close(TRY_AGAIN, str(error)[:120])
        finally:
            connections -= 1

    return handle


def changes(told: BookImage | None, top: BookImage) -> str | None:
    """What to say to one who knows `told`: everything if that is None; None if nothing changed."""
    if told is None:
        return _text(_rows(top.bids), _rows(top.asks))
    bids, asks = _changed(told.bids, top.bids), _changed(told.asks, top.asks)
    return _text(bids, asks) if bids or asks else None


def _say(**told: str) -> str:
    return msgspec.json.encode(told).decode()


def _rows(levels: list[BookLevel]) -> dict[str, str]:
    return {level.price: level.quantity for level in levels[:TOP_LEVELS]}


def _changed(told: list[BookLevel], now: list[BookLevel]) -> dict[str, str]:
    before, after = _rows(told), _rows(now)
    gone = {price: "0" for price in before if price not in after}
    return gone | {price: size for price, size in after.items() if before.get(price) != size}


def _text(bids: dict[str, str], asks: dict[str, str]) -> str:
    sides = (",".join(f"[{price},{size}]" for price, size in side.items()) for side in (bids, asks))
    return '{{"bids":[{}],"asks":[{}]}}'.format(*sides)
