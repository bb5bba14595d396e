"""The load harness and the measurements aren't packages of the project: they are found by path.

`fake_exchange` answers every order at once, or not for a while.
"""

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "load-test"), str(ROOT / "bench")]

ACCEPTED = b"HTTP/1.1 201 \r\ncontent-length: 2\r\n\r\n{}"


class FakeExchange:
    """An HTTP server of few words. `stall` holds up every reply that is due in the meantime."""

    def __init__(self) -> None:
        self.reply = ACCEPTED
        self.bodies: list[bytes] = []
        self.stalled_until = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stall(self, seconds: float) -> None:
        self.stalled_until = time.monotonic() + seconds

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        received = b""
        with connection, suppress(OSError):
            while data := connection.recv(65_536):
                received += data
                requests, received = self._split(received)
                if requests:
                    time.sleep(max(0.0, self.stalled_until - time.monotonic()))
                    connection.sendall(self.reply * requests)

    def _split(self, received: bytes) -> tuple[int, bytes]:
        count = 0
        while (end := received.find(b"\r\n\r\n")) >= 0:
            length = int(received.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            if len(received) < end + 4 + length:
                break
            self.bodies.append(received[end + 4 : end + 4 + length])
            received = received[end + 4 + length :]
            count += 1
        return count, received


@pytest.fixture
def fake_exchange() -> Iterator[FakeExchange]:
    server = FakeExchange()
    yield server
    server.close()
