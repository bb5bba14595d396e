"""The bytes on disk are pinned: what a release wrote, every later one reads and writes alike.

The reader of docs/wal-format.md is taken from that page and run: it shares no code with ours.
"""

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tradeclear.wal import Log, PosixStorage, snapshots, verify

from .memory_storage import MemoryStorage

FIRST = "wal-00000000000000000001.log"
SECOND = "wal-00000000000000000003.log"
SNAPSHOT = "snapshot-00000000000000000002.snap"

RECORDS = (
    [1, 1_700_000_000_000_000, [9], []],
    [2, 1_700_000_000_000_001, [9], [[1, "a"]]],
    [3, 1_700_000_000_000_002, [9], []],
)
META = {"state_hash": "c0ffee"}

GOLDEN = {
    FIRST: (
        "f75443010100000010000000000000000100000000000000000000009db2a1137472616465636c65"
        "61722077616c2031"
        "f754430102000000250000000200000001000000000000009db2a11392728743dd000000029401cf"
        "00060a24181e40009109909402cf00060a24181e40019109919201a161"
        "f7544301030000001c000000010000000300000000000000927287436003a4f977616c2d30303030"
        "303030303030303030303030303030332e6c6f67"
    ),
    SECOND: (
        "f754430101000000100000000000000003000000000000006003a4f9e23693db7472616465636c65"
        "61722077616c2031"
        "f75443010200000013000000010000000300000000000000e23693db80a0ba7add000000019403cf"
        "00060a24181e4002910990"
    ),
    SNAPSHOT: (
        "f7544301040000001500000000000000020000000000000000000000020fcc757472616465636c65"
        "617220736e617073686f742031"
        "f75443010500000009000000010000000200000000000000020fcc7548724bcd7374617465206f66"
        "20"
        "f7544301050000000300000002000000020000000000000048724bcd07655d2374776f"
        "f7544301060000002f00000002000000020000000000000007655d230380c2dc7b22627974657322"
        "3a31322c226d657461223a7b2273746174655f68617368223a22633066666565227d7d2b000000"
    ),
}


@pytest.fixture(scope="module")
def page() -> str:
    return (Path(__file__).parents[2] / "docs" / "wal-format.md").read_text()


@pytest.fixture(scope="module")
def reader(page: str) -> dict[str, Any]:
    """The reader on the page."""
    names: dict[str, Any] = {"__name__": "reader"}
    exec(page.partition("```python\n")[2].partition("```")[0], names)
    return names


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    for name, content in GOLDEN.items():
        (tmp_path / name).write_bytes(bytes.fromhex(content))
    return tmp_path


def test_we_write_these_bytes() -> None:
    storage = MemoryStorage()
    log = Log.open(storage, segment_bytes_max=140)
    records = [msgspec.msgpack.encode(record) for record in RECORDS]
    log.append(1, records[:2])
    log.append(3, records[2:])
    snapshots.write(storage, 2, [b"state of ", b"two"], meta=META)
    assert {name: content.hex() for name, content in storage.files().items()} == GOLDEN


def test_we_read_these_bytes(golden: Path) -> None:
    with closing(PosixStorage(golden)) as storage:
        assert verify(storage).ok
        with closing(Log.open(storage)) as log:
            payloads = [msgspec.msgpack.decode(frame.payload) for frame in log.frames(1)]
            assert payloads == [list(RECORDS[:2]), list(RECORDS[2:])]
        with closing(snapshots.read(storage, 2)) as snapshot:
            assert list(snapshot.chunks()) == [b"state of ", b"two"]
            assert snapshot.info.meta == META


def test_the_reader_on_the_page(golden: Path, reader: dict[str, Any]) -> None:
    assert tuple(reader["records"](golden)) == RECORDS
    assert reader["snapshot"](golden / SNAPSHOT) == (
        b"state of two",
        {"bytes": 12, "meta": META},
    )


def test_the_reader_on_the_page_refuses_what_is_torn(golden: Path, reader: dict[str, Any]) -> None:
    whole = (golden / SECOND).read_bytes()
    for content in (whole[:-1], whole[:-1] + b"\x91", whole + bytes(8)):
        (golden / SECOND).write_bytes(content)
        with pytest.raises(ValueError, match="byte"):
            list(reader["records"](golden))


def test_the_dumps_on_the_page(page: str) -> None:
    dumps = re.findall(r"`([^`]+)`: head.*?\n\n```hex\n(.*?)```", page, re.DOTALL)
    shown = {
        name: "".join(line[6:53] for line in dump.splitlines()).replace(" ", "")
        for name, dump in dumps
    }
    assert shown == GOLDEN
