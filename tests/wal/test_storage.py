"""One contract for every storage: the real one, the simulated one, and the one of these tests."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradeclear.testing.simulated_storage import SimulatedStorage
from tradeclear.wal import DirectoryLocked, Log, PosixStorage, Storage

from .memory_storage import MemoryStorage


@pytest.fixture(params=["posix", "memory", "simulated"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "memory":
        yield MemoryStorage()
    elif request.param == "simulated":
        yield SimulatedStorage()
    else:
        posix = PosixStorage(tmp_path)
        yield posix
        posix.close()


def test_write_and_read(storage: Storage) -> None:
    file = storage.create("file")
    file.pwrite(0, b"hello")
    file.pwrite(3, b"p!")
    file.pwrite(7, b".")
    file.fdatasync()
    assert file.size() == 8
    assert file.pread(0, 100) == b"help!\0\0."
    assert file.pread(4, 1) == b"!"
    assert file.pread(100, 5) == b""
    file.truncate(4)
    assert file.pread(0, 100) == b"help"
    file.close()
    file.close()


def test_names(storage: Storage) -> None:
    storage.create("a").close()
    storage.create("b").close()
    storage.rename("a", "c")
    assert sorted(storage.names()) == ["b", "c"]
    storage.rename("c", "b")
    storage.fsync_directory()
    assert storage.names() == ["b"]
    storage.unlink("b")
    assert storage.names() == []


def test_missing_and_taken_names(storage: Storage) -> None:
    storage.create("a").close()
    with pytest.raises(FileExistsError):
        storage.create("a")
    with pytest.raises(FileNotFoundError):
        storage.open("b")
    with pytest.raises(FileNotFoundError):
        storage.unlink("b")
    with pytest.raises(FileNotFoundError):
        storage.rename("b", "c")


def test_lock_is_held_by_one(storage: Storage) -> None:
    assert storage.holder() is None
    storage.lock()
    assert storage.holder() is not None
    with pytest.raises(DirectoryLocked):
        storage.lock()
    storage.unlock()
    storage.unlock()
    assert storage.holder() is None
    storage.lock()


def test_second_storage_of_the_same_process(tmp_path: Path) -> None:
    first, second = PosixStorage(tmp_path), PosixStorage(tmp_path)
    first.lock()
    with pytest.raises(DirectoryLocked, match=str(os.getpid())):
        second.lock()
    first.close()
    second.lock()
    second.close()


def test_second_process(tmp_path: Path) -> None:
    storage = PosixStorage(tmp_path)
    log = Log.open(storage)
    before = sorted(storage.names())
    program = (
        "import sys; from tradeclear.wal import *\n"
        "try: Log.open(PosixStorage(sys.argv[1]))\n"
        "except DirectoryLocked as error: print(error.pid)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    assert said == f"{os.getpid()}\n"
    assert sorted(storage.names()) == before
    log.close()
    storage.close()


def test_create_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PosixStorage(tmp_path / "wal")
    PosixStorage(tmp_path / "wal", create=True).close()
    PosixStorage(tmp_path / "wal", create=True).close()


def test_short_writes_and_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may take and give less than asked."""
    pwrite, pread = os.pwrite, os.pread
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:3], offset))
    monkeypatch.setattr(os, "pread", lambda fd, length, offset: pread(fd, min(length, 2), offset))
    storage = PosixStorage(tmp_path)
    file = storage.create("file")
    file.pwrite(1, b"0123456789")
    assert file.pread(0, 100) == b"\x000123456789"
    assert file.pread(2, 4) == b"1234"
    file.close()
    storage.close()


def test_descriptors_are_not_inherited(tmp_path: Path) -> None:
    storage = PosixStorage(tmp_path)
    file = storage.create("file")
    for descriptor in (storage._descriptor, file._descriptor):
        assert not os.get_inheritable(descriptor)
    file.close()
    storage.close()


def test_full_disk(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    storage = PosixStorage(tmp_path)
    file = storage.open("full", write=True)
    with pytest.raises(OSError, match="No space left"):
        file.pwrite(0, b"x")
    file.close()
    storage.close()
