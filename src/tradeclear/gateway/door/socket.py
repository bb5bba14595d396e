"""A connection that enters orders over a WebSocket, many at once."""

from base64 import b64encode
from hashlib import sha1
from select import EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING, Final

import trio

from tradeclear.gateway.door.endings import Goodbye
from tradeclear.gateway.door.frames import (
    CLOSE,
    GOING_AWAY,
    INTERNAL_ERROR,
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
from tradeclear.gateway.order_session import OrderSession

if TYPE_CHECKING:
    from tradeclear.gateway.door.reactor import Reactor

TURN_MESSAGES_MAX: Final = 64
"""So many messages of one connection are taken before others get their turn."""

PING_S: Final = 20.0
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def handshake(key: bytes) -> bytes:
    """The response that makes a WebSocket of a connection."""
    accept = b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-accept: %b\r\n\r\n" % accept
    )


class OrderSocket(Peer[Goodbye]):
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
        self._key: Final = key
        self._session: Final = OrderSession(messages, address, self._tell)
        self._frames: Final = FrameReader(MESSAGE_BYTES_MAX)
        self._unread = False  # there may be more messages in what was fed to the frame reader
        self._closing = False
        self._goodbye: Goodbye | None = Goodbye()
        self._stopping = False
        self._pinged = False

    def started(self) -> None:
        """Answer the handshake, before all else."""
        self.queue(handshake(self._key))

    # Reading

    def take(self, data: bytes) -> None:
        """Begin every command that is whole now."""
        self._pinged = False
        if not self._closing:
            self._frames.feed(data)
            self.go_on()

    def go_on(self) -> None:
        """Begin commands until there are no more, or too many are under way."""
        self._session.go_on()
        self._unread = True
        try:
            for _ in range(TURN_MESSAGES_MAX):
                if self._closing or not self._session.room:
                    break
                message = self._frames.next()
                if message is None:
                    self._unread = False
                    break
                self._take_message(message)
        except Violation as violation:
            self._close(close_frame(violation.code, violation.reason))
        self.look()

    def _take_message(self, message: Message) -> None:
        opcode, payload = message
        if opcode < CLOSE:
            if not self._session.take(payload):
                self._close(close_frame(INVALID_DATA, "the text is not UTF-8"))
        elif opcode == PING:
            self.queue(frame(PONG, payload))
        elif opcode == CLOSE:
            self._goodbye = None  # the client waits for nothing but our answer
            self._close(close_reply(payload))

    def at_end(self) -> None:
        """The client is gone; what it sent takes effect all the same."""
        self.end()

    def wants(self) -> int:
        """More commands, unless too many are under way."""
        if self._closing or self._stopping or self._session.blocked:
            return 0
        return EPOLLIN if self._session.room and not self._unread else EPOLLOUT

    # Writing

    def _tell(self, text: bytes) -> None:
        """A reply is there. Nothing follows a close frame."""
        if not self._closing:
            self.queue(frame(TEXT, text))

    def flushed(self) -> None:
        """Look for what comes next, or end after the close frame."""
        if self._closing:
            self.end(self._goodbye)
        elif self._stopping and not self._session.under_way:
            self._close(close_frame(GOING_AWAY, "the exchange is shutting down"))
        else:
            self.look()

    # Ending

    def _close(self, last: bytes) -> None:
        self._closing = True
        self.queue(last)

    def close_when_done(self) -> None:
        """The exchange stops: say so after the last reply."""
        self._stopping = True
        if self.all_sent:
            self.flushed()

    def give_up(self) -> None:
        """Say that the outcome of what is under way is unknown."""
        if self._closing:
            return
        if self._session.under_way:
            self._close(close_frame(INTERNAL_ERROR, "what is not answered may have taken effect"))
        else:
            self._close(close_frame(GOING_AWAY, "the exchange is shutting down"))

    def check(self) -> None:
        """End what does not read, and what does not answer a ping."""
        if self.stalled_s > self._reactor.bounds.write_timeout_s:
            self.end()
        elif self._reactor.now - self.quiet_since <= PING_S or not self._listens:
            pass
        elif self._pinged:
            self._close(close_frame(PROTOCOL_ERROR, "no answer to a ping"))
        else:
            self._pinged = True
            self.queue(frame(PING, b""))

    @property
    def _listens(self) -> bool:
        """Whether a sign of life would be noticed."""
        return self.all_sent and self.wants() == EPOLLIN
