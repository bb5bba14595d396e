"""A TCP proxy that misbehaves on order, to stand before Redis, Postgres or another exchange.

    async with open_proxy("127.0.0.1", 6379) as proxy:
        ...  # connect to proxy.host, proxy.port
        proxy.silent = True    # half-open: everything is taken, nothing arrives
        proxy.cut()            # every connection is reset
        proxy.refusing = True  # and new ones are, too
        proxy.heal()

Orders hold for open connections and for new ones, from the next bytes on. It keeps at most
`WAITING_CHUNKS_MAX` chunks for each direction; beyond that the sender feels the delay.
"""

import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import trio

CHUNK_BYTES: Final = 16_384
WAITING_CHUNKS_MAX: Final = 64
CONNECTIONS_MAX: Final = 1_000
CONNECT_S_MAX: Final = 10.0

_reset: Final = struct.pack("ii", 1, 0)
_Send = trio.MemorySendChannel[tuple[float, bytes]]
_Receive = trio.MemoryReceiveChannel[tuple[float, bytes]]


class Proxy:
    """What to do with the bytes; set it whenever you like.

    `delay_s`: each way. `bytes_per_s`: each way of each connection, 0 for no limit. `silent`: take
    bytes and drop them; a connection that has lost bytes stays silent until it is cut. `refusing`:
    reset whoever connects.
    """

    def __init__(self, target_host: str, target_port: int) -> None:
        self.host = ""
        self.port = 0
        self.delay_s = 0.0
        self.bytes_per_s = 0.0
        self.silent = False
        self.refusing = False
        self.accepted = 0
        self.forwarded_bytes = 0
        self.swallowed_bytes = 0
        self._target: Final = (target_host, target_port)
        self._links: Final[set[_Link]] = set()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._links)

    def cut(self) -> None:
        """Reset every connection, at both ends."""
        for link in self._links:
            link.scope.cancel()

    def heal(self) -> None:
        """Forward again as if nothing had been ordered; connections that lost bytes are cut."""
        self.delay_s = self.bytes_per_s = 0.0
        self.silent = self.refusing = False
        for link in self._links:
            if link.lost:
                link.scope.cancel()

    async def serve(self, client: trio.SocketStream) -> None:
        """Forward one connection until either side ends it or it is cut."""
        self.accepted += 1
        if self.refusing or len(self._links) >= CONNECTIONS_MAX:
            _abort(client)
            return
        try:
            with trio.fail_after(CONNECT_S_MAX):
                server = await trio.open_tcp_stream(*self._target)
        except (OSError, trio.TooSlowError):
            _abort(client)
            return
        link = _Link()
        self._links.add(link)
        try:
            with link.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._pump, link, client, server)
                    nursery.start_soon(self._pump, link, server, client)
        finally:
            self._links.discard(link)
            for stream in (client, server):
                if link.scope.cancelled_caught:
                    _abort(stream)
                else:
                    stream.socket.close()

    async def _pump(
        self, link: "_Link", source: trio.SocketStream, sink: trio.SocketStream
    ) -> None:
        """One direction: reading goes on while what was read waits for its time."""
        send, receive = trio.open_memory_channel[tuple[float, bytes]](WAITING_CHUNKS_MAX)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read, link, source, send)
            nursery.start_soon(self._write, link, receive, sink)

    async def _write(self, link: "_Link", receive: _Receive, sink: trio.SocketStream) -> None:
        async for read_at, data in receive:
            await trio.sleep_until(read_at + self.delay_s)
            if self.bytes_per_s:
                await trio.sleep(len(data) / self.bytes_per_s)
            if self.silent or link.lost:
                link.lost = True
                self.swallowed_bytes += len(data)
                continue
            try:
                await sink.send_all(data)
            except trio.BrokenResourceError:
                link.scope.cancel()
                return
            self.forwarded_bytes += len(data)
        if self.silent or link.lost:
            link.lost = True  # the end of the stream is lost, too
            await trio.sleep_forever()
        try:
            await sink.send_eof()
        except trio.BrokenResourceError:
            link.scope.cancel()


class _Link:
    """An open connection. `lost`: some of its bytes were dropped."""

    def __init__(self) -> None:
        self.scope: Final = trio.CancelScope()
        self.lost = False


@asynccontextmanager
async def open_proxy(target_host: str, target_port: int) -> AsyncGenerator[Proxy]:
    """A proxy on a free loopback port; its connections are cut at the end."""
    proxy = Proxy(target_host, target_port)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, proxy.serve, 0, host="127.0.0.1"))
        proxy.host, proxy.port = listeners[0].socket.getsockname()[:2]
        yield proxy
        nursery.cancel_scope.cancel()


async def _read(link: _Link, source: trio.SocketStream, send: _Send) -> None:
    async with send:
        try:
            async for data in source:
                await send.send((trio.current_time(), bytes(data)))
        except trio.BrokenResourceError:
            link.scope.cancel()


def _abort(stream: trio.SocketStream) -> None:
    """Close with a reset, as a peer that is gone would."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _reset)
    stream.socket.close()
