"""A log directory with some history, and the settings that go with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tradeclear.config.settings import Settings
from tradeclear.core.engine import Engine
from tradeclear.model.commands import Command, PlaceOrder
from tradeclear.supervisor.startup import wanted_configuration
from tradeclear.wal.codec import encode_record
from tradeclear.wal.log import Log
from tradeclear.wal.posix import PosixStorage


class History:
    """An engine and the log of all it was told."""

    def __init__(self, directory: Path, *, segment_bytes_max: int = 1 << 20) -> None:
        self.storage = PosixStorage(directory)
        self.log = Log.open(self.storage, segment_bytes_max=segment_bytes_max)
        self.engine = Engine()
        self.do(wanted_configuration(Settings(), self.engine))

    def do(self, command: Command) -> None:
        """Apply one command and append its record."""
        seq = self.engine.seq + 1
        events = self.engine.apply(seq, seq, command)
        self.log.append(seq, [encode_record((seq, seq, command, events))])

    def place(self, count: int) -> None:
        """So many orders, some of which trade."""
        for _ in range(count):
            number = self.engine.seq
            side = "buy" if number % 2 else "sell"
            price = 100 + number % 7
            self.do(PlaceOrder(f"o{number}", "c", "BTC-USD", side, "limit", price, 3))

    def close(self) -> None:
        """Let go of the directory."""
        self.log.close()


@pytest.fixture
def history(tmp_path: Path) -> Callable[..., History]:
    return lambda **options: History(tmp_path, **options)
