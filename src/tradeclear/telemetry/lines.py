"""Lines on their way to standard error: a bounded queue and one thread that writes.

Whoever logs never waits: not for a slow terminal, a full pipe, a reader that has stopped, or a disk
that is full. What there is no room for is dropped and counted, and so is what can't be written.
"""

import os
from queue import Queue
from threading import Thread
from time import monotonic, sleep
from typing import Final

WAITING_BYTES_MAX: Final = 16 * 1024 * 1024
"""So much may wait to be written."""

STDERR: Final = 2
POLL_S: Final = 0.01


class LineWriter:
    """Writes to a descriptor, in order. `dropped` counts the pieces that were not written."""

    def __init__(self, descriptor: int = STDERR, bytes_max: int = WAITING_BYTES_MAX) -> None:
        self.dropped = 0
        self._descriptor: Final = descriptor
        self._bytes_max: Final = bytes_max
        self._taken_bytes = 0  # by `put`
        self._done_bytes = 0  # by the thread
        self._waiting: Final[Queue[bytes]] = Queue()
        self._thread: Thread | None = None

    def put(self, piece: bytes) -> bool:
        """Have `piece` written; false if there is no room for it. Never waits, never raises."""
        if self._taken_bytes - self._done_bytes + len(piece) > self._bytes_max:
            self.dropped += 1
            return False
        self._taken_bytes += len(piece)
        self._waiting.put_nowait(piece)
        if self._thread is None:
            self._thread = Thread(target=self._work, name="log lines", daemon=True)
            self._thread.start()
        return True

    def finish(self, seconds: float) -> None:
        """Wait until all is written, at most so long. Blocking."""
        deadline = monotonic() + seconds
        while self._taken_bytes != self._done_bytes and monotonic() < deadline:
            sleep(POLL_S)

    def _work(self) -> None:
        while True:
            piece = self._waiting.get()
            size = len(piece)
            try:
                while piece:
                    piece = piece[os.write(self._descriptor, piece) :]
            except OSError:
                self.dropped += 1
            self._done_bytes += size


class TextStream:
    """A writer as a text stream, for loggers that want one."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer: Final = writer

    def write(self, text: str) -> int:
        """Queue `text`."""
        self._writer.put(text.encode(errors="backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Nothing waits here."""


lines: Final = LineWriter()
"""Standard error, for everyone who logs."""
