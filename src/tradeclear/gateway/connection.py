"""One connection, over Hypercorn's: every wait on the client has an end.

*Idle*: until the keep-alive time is over. *Head*: from its first byte the head of a request must
be whole within a time. *Busy*: the body is the guard's business (`guard.py`), the reply must be
taken piece by piece within a time each, and then the connection is idle again or ends. It ends
gently: the client is told, and what it still sends is read for a moment, for else its kernel would
throw our reply away.
"""

from enum import Enum
from math import inf
from typing import Final

import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState
from hypercorn.utils import parse_socket_addr
from msgspec import Struct

from tradeclear.gateway.http1 import Http1
from tradeclear.gateway.problems import REQUEST_TIMEOUT
from tradeclear.telemetry.events import REQUEST_FAILED
from tradeclear.telemetry.logs import log

WRITE_PIECE_BYTES: Final = 65_536
LINGER_S: Final = 2.0
LINGER_BYTES_MAX: Final = 4 * 1_048_576
TAIL_S: Final = 1.0
"""So long may an app go on after its connection has ended. Hypercorn's pings know no end."""

HALF_CLOSED_S: Final = 30.0
"""So long may a request take whose client has closed its sending side."""


class Timeouts(Struct, frozen=True, kw_only=True):
    """How long a client may let us wait."""

    keep_alive_s: float
    head_s: float
    write_s: float


class Phase(Enum):
    """What the connection waits for."""

    IDLE = "idle"
    HEAD = "head"
    BUSY = "busy"


class Connection(TCPServer):
    """Serves one stream until either side ends it. `run` never raises but `trio.Cancelled`."""

    protocol: Http1  # type: ignore[assignment]

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        state: ConnectionState,
        stream: trio.SocketStream,
        timeouts: Timeouts,
        first_bytes: bytes = b"",
    ) -> None:
        super().__init__(app, config, context, state, stream)  # type: ignore[arg-type]
        self._timeouts: Final = timeouts
        self._first_bytes = first_bytes
        self._reading: Final = trio.CancelScope()
        self._phase = Phase.IDLE
        self._broken = False
        self._client_ended = False
        self._lingers = False

    async def run(self) -> None:
        """Serve. Cancelled, the stream is closed at once."""
        try:
            socket = self.stream.socket
            client = parse_socket_addr(socket.family, socket.getpeername())
            server = parse_socket_addr(socket.family, socket.getsockname())
            async with TaskGroup() as task_group:
                self._task_group = task_group
                self.protocol = Http1(
                    self.app,
                    self.config,
                    self.context,
                    task_group,
                    ConnectionState(self.state.copy()),
                    False,
                    client,
                    server,
                    self.protocol_send,
                )
                assert task_group._nursery is not None
                await self._serve(task_group._nursery)
        except OSError:
            pass  # the client was gone before we could ask who it was
        except Exception as error:
            log.exception(REQUEST_FAILED, problem=repr(error))
        finally:
            await trio.aclose_forcefully(self.stream)

    async def _serve(self, nursery: trio.Nursery) -> None:
        await self.protocol.initiate()
        self._wait_for(Phase.IDLE, self._timeouts.keep_alive_s)
        with self._reading:
            await self._read_data()
        if self._phase is Phase.HEAD and not (self._lingers or self._broken):
            limit = f"{self._timeouts.head_s:g} s"
            await self.protocol.refuse(REQUEST_TIMEOUT, f"the head must be there within {limit}")
            self._lingers = True
        await self.protocol.handle(Closed())  # an app that still runs learns of it
        if self._lingers:
            await self._linger()
        await trio.aclose_forcefully(self.stream)
        nursery.cancel_scope.deadline = trio.current_time() + TAIL_S

    # Reading

    async def _read_data(self) -> None:
        """Read until the client ends, a wait is over, or `_reading` is cancelled for us."""
        data: bytes | bytearray = self._first_bytes
        while True:
            if data:
                if self._phase is Phase.IDLE:
                    self._wait_for(Phase.HEAD, self._timeouts.head_s)
                await self.protocol.handle(RawData(bytes(data)))
            try:
                data = await self.stream.receive_some(MAX_RECV)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._broken = True
                return
            if not data:
                await self._at_end()
                return

    async def _at_end(self) -> None:
        """The client sends no more, but may still wait for the answer to what it has sent."""
        self._client_ended = True
        if self.protocol.awaits_reply:
            self._reading.deadline = trio.current_time() + HALF_CLOSED_S
            await trio.sleep_forever()
        self._phase = Phase.IDLE
        await self.protocol.handle(RawData(b""))

    def _wait_for(self, phase: Phase, seconds: float) -> None:
        self._phase = phase
        self._reading.deadline = trio.current_time() + seconds

    # Writing

    async def protocol_send(self, event: Event) -> None:
        """Carry out what the protocol decided."""
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, Closed):
            self._lingers = not (self._client_ended or self.protocol.read_whole)
            self._reading.cancel()
        elif isinstance(event, Updated):
            if not event.idle:
                self._wait_for(Phase.BUSY, inf)
            elif self._client_ended:
                self._reading.cancel()
            else:
                self._wait_for(Phase.IDLE, self._timeouts.keep_alive_s)

    async def _write(self, data: bytes) -> None:
        """Write it all, or find the connection broken. Cancellation waits for that.

        A client that takes less than a piece in the time has broken it.
        """
        async with self.send_lock:
            for start in range(0, len(data), WRITE_PIECE_BYTES):
                if self._broken:
                    return
                try:
                    with trio.fail_after(self._timeouts.write_s, shield=True):
                        await self.stream.send_all(data[start : start + WRITE_PIECE_BYTES])
                except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                    self._broken = True
                    self._reading.cancel()

    # Ending

    def end_if_idle(self) -> None:
        """End now if no request is under way. For an orderly shutdown."""
        if self._phase is Phase.IDLE:
            self._reading.cancel()

    def abort(self) -> None:
        """End now, whoever is reading or writing."""
        self._broken = True
        self._reading.cancel()
        self.stream.socket.close()

    async def _linger(self) -> None:
        """Say that we are done, and read on for a moment, so that the reply arrives."""
        left = LINGER_BYTES_MAX
        with trio.move_on_after(LINGER_S):
            try:
                async with self.send_lock:
                    await self.stream.send_eof()
                while left > 0 and (data := await self.stream.receive_some(MAX_RECV)):
                    left -= len(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
