"""A snapshot is there whole or not at all, and recovery passes over one that is not."""

import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tradeclear.wal import (
    LogFailed,
    PosixStorage,
    SnapshotDamaged,
    SnapshotFailed,
    SnapshotInfo,
    SnapshotNotFound,
    snapshots,
)
from tradeclear.wal.frame import payload_bytes_max

from .memory_storage import Crash, MemoryStorage

CHUNKS = [b"orders", b"", b"levels" * 20, b"end"]
META = {"state_hash": "c0ffee", "engine": 3, "created_at": "2024-05-01T00:00:00.000000Z"}
NAME = "snapshot-00000000000000000042.snap"


def written(chunks: list[bytes] = CHUNKS) -> MemoryStorage:
    storage = MemoryStorage()
    snapshots.write(storage, 42, chunks, meta=META)
    return storage


def read(storage: MemoryStorage, seq: int = 42) -> tuple[SnapshotInfo, list[bytes]]:
    with closing(snapshots.read(storage, seq)) as snapshot:
        return snapshot.info, list(snapshot.chunks())


@pytest.mark.parametrize("chunks", [CHUNKS, [], [b""], [b"x" * 3_000_000] * 2])
def test_round_trip(chunks: list[bytes]) -> None:
    storage = written(chunks)
    info, got = read(storage)
    assert got == chunks
    assert (info.seq, info.meta, info.chunks) == (42, META, len(chunks))
    assert info.state_bytes == sum(map(len, chunks))
    assert info.bytes == len(storage.content(NAME))
    assert snapshots.seqs(storage) == [42]


def test_meta_that_is_known_at_the_end() -> None:
    storage = MemoryStorage()
    seen: list[bytes] = []

    def state() -> Iterator[bytes]:
        for chunk in CHUNKS:
            seen.append(chunk)
            yield chunk

    snapshots.write(storage, 42, state(), meta=lambda: {"chunks_seen": len(seen)})
    assert read(storage)[0].meta == {"chunks_seen": len(CHUNKS)}


def test_order_of_write() -> None:
    """The file is durable before it has its name, and the name before `write` returns."""
    assert written().steps == ["create", "pwrite", "fdatasync", "rename", "fsync_directory"]


def test_every_truncation() -> None:
    whole = written()
    for length in range(len(whole.content(NAME))):
        storage = whole.copy()
        storage.put(NAME, whole.content(NAME)[:length])
        with pytest.raises(SnapshotDamaged) as caught:
            read(storage)
        assert caught.value.file == NAME
        assert caught.value.offset <= length


def test_every_bit_flip() -> None:
    whole = written()
    content = whole.content(NAME)
    for at in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[at] ^= 1 << bit
            storage = whole.copy()
            storage.put(NAME, bytes(flipped))
            with pytest.raises(SnapshotDamaged) as caught:
                read(storage)
            assert caught.value.offset <= at


@pytest.mark.parametrize("more", [b"\0", b"\0" * 100, b"x" * 1000])
def test_bytes_behind_the_footer(more: bytes) -> None:
    storage = written()
    storage.put(NAME, storage.content(NAME) + more)
    with pytest.raises(SnapshotDamaged):
        read(storage)


def test_snapshot_of_another_seq_under_this_name() -> None:
    storage = written()
    storage.rename(NAME, NAME.replace("42", "43"))
    with pytest.raises(SnapshotDamaged):
        read(storage, 43)


def test_missing() -> None:
    with pytest.raises(SnapshotNotFound):
        read(MemoryStorage())


def test_fallback_to_an_older_one() -> None:
    storage = written()
    for seq in (50, 60):
        snapshots.write(storage, seq, CHUNKS, meta=META)
        storage.put(NAME.replace("42", str(seq)), b"")
    newest = snapshots.newest_valid(storage, log_first_seq=1)
    assert newest.info is not None
    assert newest.info.seq == 42
    assert [damage.file for damage in newest.damaged] == [
        NAME.replace("42", "60"),
        NAME.replace("42", "50"),
    ]
    assert snapshots.newest_valid(storage, log_first_seq=43).info is not None
    with pytest.raises(SnapshotDamaged, match="60"):
        snapshots.newest_valid(storage, log_first_seq=44)


def test_no_snapshot_and_a_whole_log() -> None:
    storage = MemoryStorage()
    assert snapshots.newest_valid(storage, log_first_seq=1).info is None
    storage.put(NAME, b"")
    newest = snapshots.newest_valid(storage, log_first_seq=1)
    assert (newest.info, len(newest.damaged)) == (None, 1)


def test_same_seq_again() -> None:
    storage = written()
    snapshots.write(storage, 42, [b"again"], meta={})
    assert read(storage)[1] == [b"again"]


def test_leftover_temporary_file() -> None:
    storage = MemoryStorage()
    storage.put(NAME + ".tmp", b"half")
    assert snapshots.seqs(storage) == []
    snapshots.write(storage, 42, CHUNKS, meta=META)
    assert storage.names() == [NAME]


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_failed_write_leaves_nothing(step: int) -> None:
    storage = written()
    storage.fail_at = len(storage.steps) + step
    with pytest.raises(SnapshotFailed):
        snapshots.write(storage, 43, CHUNKS, meta=META)
    assert storage.names() == [NAME]
    snapshots.write(storage, 43, CHUNKS, meta=META)
    assert snapshots.seqs(storage) == [42, 43]


def test_failed_sync_of_the_directory_stops() -> None:
    storage = written()
    storage.fail_at = len(storage.steps) + 5
    with pytest.raises(LogFailed):
        snapshots.write(storage, 43, CHUNKS, meta=META)


def test_state_that_raises() -> None:
    def state() -> Iterator[bytes]:
        yield b"some"
        raise ZeroDivisionError

    storage = MemoryStorage()
    with pytest.raises(ZeroDivisionError):
        snapshots.write(storage, 42, state(), meta=META)
    assert storage.names() == []


def test_chunk_beyond_a_frame() -> None:
    with pytest.raises(ValueError, match="chunk"):
        snapshots.write(MemoryStorage(), 42, [bytes(payload_bytes_max + 1)], meta={})


@pytest.mark.parametrize("seed", range(20))
def test_power_cut_at_every_step(seed: int) -> None:
    """Once `write` has returned it is there; before, the older one is, and no half one."""
    random = Random(seed)
    for step in range(1, 7):
        storage = written()
        storage.crash_at = len(storage.steps) + step
        try:
            snapshots.write(storage, 43, CHUNKS, meta=META)
            snapshots.keep_newest(storage, 1)
            expected = {43}
        except Crash:
            expected = {42, 43}
        storage.restart(random)
        newest = snapshots.newest_valid(storage, log_first_seq=1)
        assert newest.info is not None
        assert newest.info.seq in expected
        assert newest.damaged == ()


def test_keep_newest() -> None:
    storage = written()
    for seq in (50, 60):
        snapshots.write(storage, seq, CHUNKS, meta=META)
    assert snapshots.keep_newest(storage, 3) == ()
    storage.steps.clear()
    assert snapshots.keep_newest(storage, 1) == (NAME, NAME.replace("42", "50"))
    assert storage.steps == ["unlink", "unlink", "fsync_directory"]
    with pytest.raises(ValueError):
        snapshots.keep_newest(storage, 0)


def test_memory_does_not_grow_with_the_state(tmp_path: Path) -> None:
    storage = PosixStorage(tmp_path)
    chunk = bytes(100_000)
    tracemalloc.start()
    snapshots.write(storage, 42, (chunk for _ in range(300)), meta={})
    with closing(snapshots.read(storage, 42)) as snapshot:
        assert sum(map(len, snapshot.chunks())) == 30_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    storage.close()
    assert peak < 8_000_000
