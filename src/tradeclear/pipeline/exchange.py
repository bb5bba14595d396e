"""The façade: everything that a door, a feed or a runner may ask of the exchange."""

from collections.abc import Callable
from typing import Final, TypeVar

import trio
from msgspec import Struct

from tradeclear.core.engine import Engine
from tradeclear.model.commands import Command
from tradeclear.model.errors import TradeclearError
from tradeclear.model.instrument import Instrument
from tradeclear.pipeline.outcome import Answer, Outcome, Reply
from tradeclear.pipeline.partition import Partition
from tradeclear.pipeline.publisher import Subscription
from tradeclear.pipeline.snapshotter import SnapshotInfo, Snapshotter

T = TypeVar("T")


class Health(Struct, frozen=True):
    """Whether orders can be taken, and how each part is."""

    ready: bool
    parts: dict[str, str]


class Exchange:
    """The exchange as its users see it; which partition serves what is its own business."""

    def __init__(self, partition: Partition, snapshotter: Snapshotter) -> None:
        self._partition: Final = partition
        self._snapshotter: Final = snapshotter
        self.parts: Final[dict[str, str]] = {}
        """State of the parts that the supervisor adds: name to a word or two."""
        self.stopping = False

    async def submit(self, command: Command) -> Outcome:
        """Have `command` carried out; returns when its record is durable.

        Raises `Overloaded` or `Stopping` if it was not taken, `OutcomeUnknown` if that can't be
        told, `KeyReused`, `Quarantined`, or `AgedOut` when a repeated key's reply is gone.
        Cancelled, a command that was taken still takes effect.
        """
        arrived = trio.Event()
        told: list[Answer] = []

        def reply(answer: Answer) -> None:
            told.append(answer)
            arrived.set()

        self.submit_nowait(command, reply)
        await arrived.wait()
        answer = told[0]
        if isinstance(answer, TradeclearError):
            raise answer
        assert answer is not None
        return answer

    def submit_nowait(self, command: Command, reply: Reply) -> None:
        """The same without a task: `reply` is called once, when the answer may leave.

        Raises `Overloaded`, `Stopping` or `OutcomeUnknown` at once, and then never calls `reply`.
        """
        self._partition.submit_nowait(command, reply)

    @property
    def full(self) -> bool:
        """Whether a command would be refused as `Overloaded` now, whatever it is."""
        return self._partition.full

    def peek(self, read: Callable[[Engine], T]) -> T:
        """What `read` makes of the state now, to decide by; not to be told yet (`when_durable`)."""
        return read(self._partition.engine)

    def when_durable(self, reply: Reply) -> None:
        """Call `reply` when all that is decided is durable: with None, or with `OutcomeUnknown`."""
        self._partition.gate.answer(self._partition.engine.seq, reply, None)

    def on_settled(self, told: Callable[[], None]) -> None:
        """Have `told` called whenever answers were handed out: those of a commit, together."""
        self._partition.gate.settled.append(told)

    def follow(self, records_max: int) -> Subscription:
        """Every record from now on, as it becomes durable, with at most so many waiting."""
        return self._partition.publisher.subscribe(records_max)

    async def query(self, read: Callable[[Engine], T]) -> T:
        """What `read` makes of the state, once everything that it saw is durable.

        `read` must be quick and change nothing. Raises `OutcomeUnknown` after a failure.
        """
        return await self._partition.query(read)

    def instrument(self, name: str) -> Instrument | None:
        """The instrument as configured now, trading or not."""
        return self._partition.engine.instruments.get(name)

    def instruments(self) -> tuple[Instrument, ...]:
        """Every instrument, in the order of the configuration."""
        return tuple(self._partition.engine.instruments.values())

    async def snapshot(self) -> SnapshotInfo:
        """Take a snapshot of the state now. Raises `SnapshotFailed`. Cancelled, none is kept."""
        return await self._snapshotter.take()

    async def snapshots(self) -> list[SnapshotInfo]:
        """The snapshots on disk, newest first."""
        return await self._snapshotter.list()

    def health(self) -> Health:
        """How things stand."""
        failed = self._partition.gate.failed
        parts = {
            "recovery": "done",
            "matcher": "stopped" if failed else "running",
            "log": "failed" if failed else "writable",
            "snapshotter": self._snapshotter.state,
            **self.parts,
        }
        if self.stopping:
            parts["exchange"] = "stopping"
        return Health(ready=not failed and not self.stopping, parts=parts)
