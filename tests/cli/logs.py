"""Real logs for the command line: commands through the engine, records through the log."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from click.testing import Result
from typer.testing import CliRunner

from tradeclear.cli.wal import app
from tradeclear.core.engine import Engine
from tradeclear.core.state import state_hash
from tradeclear.model.commands import Command, Configure, Limits, PlaceOrder
from tradeclear.model.instrument import Instrument, define_instrument
from tradeclear.model.order import Side
from tradeclear.supervisor.snapshot_files import write_snapshot
from tradeclear.wal.codec import encode_record
from tradeclear.wal.cursor import Cursor
from tradeclear.wal.frame import Frame
from tradeclear.wal.log import Log
from tradeclear.wal.posix import PosixStorage

BTC = define_instrument("BTC-USD")
START = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z
SECOND = 1_000_000
FIRST = "wal-00000000000000000001.log"


class Exchange:
    """An engine and its log in `directory`; record n is made at `START` + n x `step`."""

    def __init__(
        self, directory: Path, *, segment_bytes_max: int = 1 << 20, step: int = SECOND
    ) -> None:
        self.step = step
        self.storage = PosixStorage(directory, create=True)
        self.log = Log.open(self.storage, segment_bytes_max=segment_bytes_max)
        self.engine = Engine()

    def commit(self, *commands: Command) -> None:
        """Apply the commands, and write their records as one frame."""
        first_seq = self.engine.seq + 1
        records = []
        for seq, command in enumerate(commands, first_seq):
            now = START + seq * self.step
            records.append(encode_record((seq, now, command, self.engine.apply(seq, now, command))))
        self.log.append(first_seq, records)

    def configure(self, *instruments: Instrument) -> None:
        self.commit(Configure(instruments=instruments, limits=Limits()))

    def snapshot(self) -> str:
        """Write a snapshot beside the log; return the state hash."""
        return write_snapshot(self.storage, self.engine, perf_counter()).state_hash

    def state_hash(self) -> str:
        return state_hash(self.engine)

    def close(self) -> None:
        self.log.close()
        self.storage.close()


def order(
    order_id: str, side: Side, price: int, quantity: int, *, client: str = "ann", **terms: Any
) -> PlaceOrder:
    """An order in ticks and lots; price 0 is a market order."""
    kind = "limit" if price else "market"
    terms = {"instrument": "BTC-USD", **terms}
    return PlaceOrder(
        order_id, client, side=side, type=kind, price=price, quantity=quantity, **terms
    )


@contextmanager
def exchange(directory: Path, **options: Any) -> Iterator[Exchange]:
    """A configured exchange with its log open: record 1 is the configuration."""
    made = Exchange(directory, **options)
    made.configure(BTC)
    yield made
    made.close()


def trading(directory: Path, orders: int = 20, **options: Any) -> str:
    """A closed log: the configuration, then `orders` that cross, one a commit; its state hash."""
    with exchange(directory, **options) as made:
        trade(made, orders)
        return made.state_hash()


def trade(made: Exchange, orders: int) -> None:
    """Place orders o2, o3 … (by their seq), each a commit: ann bids, and bob hits every third."""
    for seq in range(made.engine.seq + 1, made.engine.seq + 1 + orders):
        if seq % 3 == 0:
            made.commit(order(f"o{seq}", "sell", 10_000, 100 + seq, client="bob"))
        else:
            made.commit(order(f"o{seq}", "buy", 10_000 + seq % 5, 100 + seq))


def run(*words: object, **options: Any) -> Result:
    """Run `tradeclear wal …` in this process."""
    return CliRunner().invoke(app, [str(word) for word in words], **options)


def told(*words: object, code: int = 0) -> str:
    """What a command writes to standard output, once it has ended with `code`."""
    result = run(*words)
    assert result.exit_code == code, result.output
    return result.stdout


def lines(*words: object, code: int = 0) -> list[Any]:
    """The JSON lines that a command writes."""
    return [json.loads(line) for line in told(*words, code=code).splitlines()]


def document(*words: object, code: int = 0) -> Any:
    """The JSON document that a command writes."""
    return json.loads(told(*words, "--json", code=code))


def facts(text: str) -> dict[str, str]:
    """Names and values of a plain listing."""
    return dict(line.split(maxsplit=1) for line in text.splitlines() if line)


def tear(directory: Path, cut: int = 5) -> int:
    """Cut bytes off the last segment's end; return the offset of the frame that is torn by it."""
    path = sorted(directory.glob("wal-*.log"))[-1]
    offset = frames(directory)[-1].offset
    path.write_bytes(path.read_bytes()[:-cut])
    return offset


def damage(directory: Path, frame: int) -> tuple[str, int]:
    """Flip a bit in the payload of the frame at that index; return its file and offset."""
    found = frames(directory)[frame]
    path = directory / found.file
    data = bytearray(path.read_bytes())
    data[found.end - 1] ^= 1
    path.write_bytes(data)
    return found.file, found.offset


def frames(directory: Path) -> list[Frame]:
    """Every frame of records."""
    with closing(PosixStorage(directory)) as storage, closing(Cursor(storage)) as cursor:
        return list(cursor.frames())


def fingerprint(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's bytes and time of change."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}
