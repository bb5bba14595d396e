"""A partition on a real log, with a clock that the test sets."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import trio

from tradeclear.core.engine import Engine
from tradeclear.model.commands import Configure, Limits
from tradeclear.model.instrument import define_instrument
from tradeclear.pipeline.outcome import Answer
from tradeclear.pipeline.partition import Partition
from tradeclear.telemetry.metrics import Metrics
from tradeclear.wal.log import Log
from tradeclear.wal.posix import PosixStorage
from tradeclear.wal.quarantine import Quarantine

CONFIGURE = Configure(instruments=(define_instrument("BTC-USD"),), limits=Limits())


class Rig:
    """What a test holds in its hands: a running partition and everything around it."""

    def __init__(self, directory: Path) -> None:
        self.storage = PosixStorage(directory)
        self.log = Log.open(self.storage)
        self.quarantine = Quarantine(self.storage)
        self.engine = Engine()
        self.metrics = Metrics()
        self.now = 1_700_000_000_000_000
        self.partition: Partition

    def build(self, *, input_channel_max: int = 1000) -> Partition:
        """Wire the partition; done late so that a test can put its own parts in first."""
        self.partition = Partition(
            engine=self.engine,
            log=self.log,
            clock=lambda: self.now,
            quarantine=self.quarantine,
            metrics=self.metrics,
            input_channel_max=input_channel_max,
        )
        return self.partition

    async def submit(self, command: object) -> Answer:
        """Submit and wait for the answer, errors included."""
        arrived = trio.Event()
        told: list[Answer] = []

        def reply(answer: Answer) -> None:
            told.append(answer)
            arrived.set()

        self.partition.submit_nowait(command, reply)
        await arrived.wait()
        return told[0]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Partition]:
        """A configured partition that runs for as long as the block, and is stopped in order."""
        partition = self.build()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partition.run)
            await self.submit(CONFIGURE)
            yield partition
            partition.stop()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.log.close()
    made.storage.close()


@pytest.fixture
def running(rig: Rig) -> Callable[[], AbstractAsyncContextManager[Partition]]:
    return rig.running
