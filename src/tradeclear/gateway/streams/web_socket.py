"""`WS /stream` behind Quart: for where the front door is off. The front door has its own."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio
from quart import websocket

from tradeclear.gateway.rate_limits import RateLimits
from tradeclear.gateway.streams.message import lines
from tradeclear.gateway.streams.outlet import Outlet
from tradeclear.gateway.streams.session import StreamSession
from tradeclear.gateway.streams.streams import Streams
from tradeclear.gateway.streams.subscriber import TRY_AGAIN

PATH: Final = "/stream"
INVALID_DATA: Final = 1007


def stream_socket(streams: Streams, limits: RateLimits) -> Callable[[], Awaitable[None]]:
    """The handler of a connection; ends with it."""

    async def handle() -> None:
        scope: Any = websocket.scope
        outlet = Outlet(streams, lines)
        session = StreamSession(streams, limits, outlet, (scope.get("client") or ("", 0))[0])
        await websocket.accept()
        if not streams.enter(outlet):
            await websocket.close(TRY_AGAIN, "too many connections: come back later")
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.run)
                nursery.start_soon(_read, session, outlet)
                await _write(outlet)
                nursery.cancel_scope.cancel()
        finally:
            streams.exit(outlet)

    return handle


async def _read(session: StreamSession, outlet: Outlet) -> None:
    while True:
        data = await websocket.receive()
        if not session.take(data.encode() if isinstance(data, str) else data):
            outlet.dismiss(INVALID_DATA, "the text is not UTF-8")
            return


async def _write(outlet: Outlet) -> None:
    """Send what is told, a frame each, to the farewell."""
    while data := await outlet.take():
        for text in data.splitlines():
            await websocket.send(text.decode())
    assert outlet.farewell is not None
    code, reason = outlet.farewell
    await websocket.close(code, reason)
