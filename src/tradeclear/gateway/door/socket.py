"""A connection that enters orders over a WebSocket, many at once."""

from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING, Final

import trio

from tradeclear.gateway.door.frames import (
    BINARY,
    CLOSE,
    GOING_AWAY,
    INVALID_DATA,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    FrameReader,
    Message,
    Violation,
    close_frame,
    close_reply,
    frame,
)
from tradeclear.gateway.door.peer import Peer
from tradeclear.gateway.order_messages import MESSAGE_BYTES_MAX, OrderMessages

if TYPE_CHECKING:
    from tradeclear.gateway.door.reactor import Reactor

IN_FLIGHT_MAX: Final = 4_096
"""So many commands of one connection are under way before no more is read from it."""

PING_S: Final = 20.0
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def handshake(key: bytes) -> bytes:
    """The response that makes a WebSocket of a connection."""
    accept = b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-accept: %b\r\n\r\n" % accept
    )


class OrderSocket(Peer[None]):
    """A WebSocket on `/ws/orders`."""

    def __init__(
        self,
        reactor: "Reactor",
        stream: trio.SocketStream,
        address: str,
        messages: OrderMessages,
        key: bytes,
    ) -> None:
        super().__init__(reactor, stream, address)
        self._messages: Final = messages
        self._frames: Final = FrameReader(MESSAGE_BYTES_MAX)
        self._in_flight = 0
        self._closing = False
        self._stopping = False
        self._pinged = False
        self.queue(handshake(key))

    def take(self, data: bytes) -> None:
        """Begin every command that is whole now."""
        self._pinged = False
        if self._closing:
            return
        try:
            for message in self._frames.feed(data):
                if self._take_message(message):
                    break
        except Violation as violation:
            self._close(close_frame(violation.code, violation.reason))
        self.look()

    def _take_message(self, message: Message) -> bool:
        """Take one message; true if it was the last."""
        opcode, payload = message
        if opcode in (TEXT, BINARY):
            begun = self._messages.take(payload, self.address, self._tell)
            if begun is None:
                self._close(close_frame(INVALID_DATA, "the text is not UTF-8"))
            else:
                self._in_flight += begun
        elif opcode == PING:
            self.queue(frame(PONG, payload))
        elif opcode == CLOSE:
            self._close(close_reply(payload))
        return self._closing

    def _tell(self, text: bytes) -> None:
        """A reply is there."""
        self._in_flight -= 1
        self.queue(frame(TEXT, text))

    def _close(self, last: bytes) -> None:
        self._closing = True
        self.queue(last)

    def at_end(self) -> None:
        """The client is gone; what it sent takes effect all the same."""
        self.end()

    def flushed(self) -> None:
        """Read on, or end after the close frame."""
        if self._closing:
            self.end()
        elif self._stopping and not self._in_flight:
            self._close(close_frame(GOING_AWAY, "the exchange is shutting down"))
        else:
            self.look()

    def reads(self) -> bool:
        """Not while too many commands are under way."""
        return self._in_flight < IN_FLIGHT_MAX and not self._stopping

    def close_when_done(self) -> None:
        """The exchange stops: say so after the last reply."""
        self._stopping = True
        if not self._closing and self.all_sent:
            self.flushed()

    def check(self) -> None:
        """End what does not read, and what does not answer a ping."""
        quiet_s = self._reactor.now - self.quiet_since
        if self.blocked_s > self._reactor.bounds.write_timeout_s:
            self.end()
        elif quiet_s > PING_S and self.all_sent:
            if self._pinged:
                self._close(close_frame(PROTOCOL_ERROR, "no answer to a ping"))
            else:
                self._pinged = True
                self.queue(frame(PING, b""))
