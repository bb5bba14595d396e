"""A connection that follows the streams over a WebSocket: told much, asked little.

What is told is the same bytes for many, so nothing is copied: it goes out with one write, or its
rest waits as a view of those bytes. What waits is bounded; who lets more pile up, takes nothing for
too long or answers no ping is cut off, with a code that says so.
"""

import os
import socket
from select import EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING, Final

import trio

from tradeclear.gateway.door.endings import Goodbye
from tradeclear.gateway.door.frames import (
    CLOSE,
    GOING_AWAY,
    INVALID_DATA,
    PING,
    PONG,
    FrameReader,
    Message,
    Violation,
    close_frame,
    close_reply,
    frame,
)
from tradeclear.gateway.door.peer import Peer
from tradeclear.gateway.door.socket import handshake
from tradeclear.gateway.rate_limits import RateLimits
from tradeclear.gateway.streams.message import frames
from tradeclear.gateway.streams.session import MESSAGE_BYTES_MAX, StreamSession
from tradeclear.gateway.streams.streams import Streams
from tradeclear.gateway.streams.subscriber import (
    BACKLOG_BYTES_MAX,
    NOT_READY,
    SEND_BUFFER_BYTES,
    STALL_S_MAX,
    TOO_SLOW,
    TRY_AGAIN,
)

if TYPE_CHECKING:
    from tradeclear.gateway.door.reactor import Reactor

TURN_MESSAGES_MAX: Final = 8
"""So many messages of one connection are taken before others get their turn."""

PING_S: Final = 4.0
PONG_S: Final = 5.0
"""A ping after so long without a sign of life; the end after so long without an answer to it."""

CLOSE_S_MAX: Final = 8.0
LAST_WORD_S_MAX: Final = 1.0
"""So long may a client take to read what is left when it is being closed, and so long if it has
read nothing for a while already."""

PIECES_MAX: Final = 512
"""So many pieces go out with one call; Linux takes 1,024."""


class StreamSocket(Peer[Goodbye]):
    """A WebSocket on `/stream`, and a `Subscriber`."""

    encoding = staticmethod(frames)

    def __init__(
        self,
        reactor: "Reactor",
        stream: trio.SocketStream,
        address: str,
        streams: Streams,
        limits: RateLimits,
        key: bytes,
    ) -> None:
        super().__init__(reactor, stream, address)
        self.ready_descriptor = NOT_READY  # the handshake goes first
        self._streams: Final = streams
        self._key: Final = key
        self._session: Final = StreamSession(streams, limits, self, address)
        self._frames: Final = FrameReader(MESSAGE_BYTES_MAX)
        self._unread = False  # there may be more messages in what was fed to the frame reader
        self._waiting_bytes = 0
        self._room = trio.Event()
        self._closing = False
        self._end_at = 0.0
        self._goodbye: Goodbye | None = Goodbye()
        self._pinged_at = 0.0
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def started(self) -> None:
        """Answer the handshake, before all else."""
        self.queue(handshake(self._key))
        if not self._streams.enter(self):
            self._close(close_frame(TRY_AGAIN, "too many connections: come back later"))

    async def run(self) -> None:
        """The session's task."""
        await self._session.run()

    # Reading

    def take(self, data: bytes) -> None:
        """Do all that is asked for and whole."""
        self._pinged_at = 0.0
        if not self._closing:
            self._frames.feed(data)
            self.go_on()

    def go_on(self) -> None:
        """Take messages until there are no more, or it is the turn of others."""
        self._unread = True
        try:
            for _ in range(TURN_MESSAGES_MAX):
                if self._closing:
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
            self.deliver(frame(PONG, payload))
        elif opcode == CLOSE:
            self._goodbye = None  # the client waits for nothing but our answer
            self._close(close_reply(payload))

    def at_end(self) -> None:
        """The client is gone."""
        self.end()

    def wants(self) -> int:
        """More messages, if it takes what it is told."""
        if self._closing:
            return 0
        return EPOLLOUT if self._unread else EPOLLIN

    # Writing

    def deliver(self, data: bytes | memoryview) -> None:
        """Send `data` now, or keep it until there is room. Nothing follows a close frame."""
        if self.ready_descriptor == NOT_READY:
            self._keep(data)
            return
        try:
            sent = os.write(self.descriptor, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.end()
            return
        if sent != len(data):
            self._wait_for_room(memoryview(data)[sent:], sent)

    def _keep(self, data: bytes | memoryview) -> None:
        """Have `data` wait. Nothing is tried before the kernel says that there is room again."""
        if self._closing or self.ended:
            return
        if self._waiting_bytes > BACKLOG_BYTES_MAX:
            self._cut_off(f"over {BACKLOG_BYTES_MAX} bytes waited", CLOSE_S_MAX)
            return
        self._waiting_bytes += len(data)
        if self._unsent:
            self._out.append(data)
        else:
            self.queue(data)

    def _wait_for_room(self, rest: memoryview, sent: int) -> None:
        self.ready_descriptor = NOT_READY
        super()._wait_for_room(rest, sent)

    def flush(self) -> None:
        """Send what is queued, in one call, unless something older still waits for room."""
        self._queued = False
        if self._out and not self._unsent and not self.ended:
            self._write_out()

    def writable(self) -> None:
        """There is room: send what waits for it, or go on with what was read."""
        if self._unsent:
            self._out.insert(0, self._unsent)
            self._unsent = b""
            self._write_out()
            if not self._unsent:
                self._stalled_since = 0.0
        else:
            self.go_on()

    def _write_out(self) -> None:
        """Write as much as there is room for; the rest waits, as a view of what it was."""
        out = self._out
        try:
            sent = os.writev(self.descriptor, out[:PIECES_MAX])
        except BlockingIOError:
            sent = 0
        except OSError:
            self.end()
            return
        left = sent
        done = 0
        while done < len(out) and left >= len(out[done]):
            left -= len(out[done])
            done += 1
        rest = out[done : done + 1]
        del out[: done + 1]
        self._waiting_bytes = sum(map(len, out))
        if rest:
            self._wait_for_room(memoryview(rest[0])[left:], sent)
        else:
            self.flushed()

    def flushed(self) -> None:
        """Tell those who wait for room, or end after the close frame."""
        if self._closing:
            self.end(self._goodbye)
        else:
            self.ready_descriptor = self.descriptor
            self._room.set()
            self.look()

    async def wait_room(self) -> None:
        """Until nothing waits to be sent; for ever, if the connection ends."""
        while not self.all_sent or self.ended or self._closing:
            self._room = trio.Event()
            await self._room.wait()
        await trio.lowlevel.checkpoint()

    # Ending

    def dismiss(self, code: int, reason: str) -> None:
        """Say why and close."""
        self._close(close_frame(code, reason))
        self.hurry()

    def _close(self, last: bytes, patience_s: float = CLOSE_S_MAX) -> None:
        """Send a close frame after what waits, and then end, at the latest after `patience_s`."""
        if not self._closing:
            self._closing = True
            self.ready_descriptor = NOT_READY
            self._end_at = self._reactor.now + patience_s
            self._streams.exit(self)
            self.queue(last)

    def _cut_off(self, reason: str, patience_s: float) -> None:
        """Give up what waits, but for what is half sent and the last word."""
        self._streams.metrics.stream_cut_off += 1
        self._out.clear()
        self._waiting_bytes = 0
        last = close_frame(TOO_SLOW, f"too slow: {reason}: resume with from_sequence")
        self._close(last, patience_s)

    def end(self, outcome: Goodbye | None = None) -> None:
        """It is done with: nobody tells it anything any more, and its task takes over."""
        self.ready_descriptor = NOT_READY
        self._streams.exit(self)
        super().end(outcome)

    def close_when_done(self) -> None:
        """The exchange stops: say so."""
        self._close(close_frame(GOING_AWAY, "the exchange is shutting down"))

    def give_up(self) -> None:
        """Say what can be said at once."""
        self.close_when_done()

    def check(self) -> None:
        """End what does not read, and what does not answer a ping."""
        now = self._reactor.now
        if self.ready_descriptor != NOT_READY and now - self.quiet_since <= PING_S:
            return  # as most are, a thousand of them, four times a second
        if self._closing:
            if now > self._end_at:
                self.end()
        elif self.stalled_s > STALL_S_MAX:
            self._cut_off(f"nothing was taken for {STALL_S_MAX:g} s", LAST_WORD_S_MAX)
        elif self._pinged_at:
            if now - self._pinged_at > PONG_S:
                self._cut_off(f"no answer to a ping within {PONG_S:g} s", LAST_WORD_S_MAX)
        elif now - self.quiet_since > PING_S:
            self._pinged_at = now
            self.deliver(frame(PING, b""))
