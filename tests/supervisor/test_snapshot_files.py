"""A snapshot by the child process is the state that the log says, at exactly the asked record."""

from pathlib import Path

import pytest

from tradeclear.core.state import state_hash
from tradeclear.supervisor.snapshot_files import ReplicaSnapshots
from tradeclear.wal.errors import SnapshotFailed


async def test_the_replica_writes_the_state_of_the_record(tmp_path: Path, history) -> None:
    past = history()
    past.place(40)
    replicas = ReplicaSnapshots(past.storage)
    info = await replicas.make(41)
    assert (info.seq, info.state_hash) == (41, state_hash(past.engine))
    past.place(10)
    later = await replicas.make(51)
    assert later.state_hash == state_hash(past.engine)
    assert await replicas.list() == [later, info]


async def test_a_failing_child_leaves_no_snapshot_and_says_why(tmp_path: Path, history) -> None:
    past = history()
    past.place(5)
    with pytest.raises(SnapshotFailed, match="records up to 99"):
        await ReplicaSnapshots(past.storage).make(99)
    assert not list(tmp_path.glob("snapshot-*"))
