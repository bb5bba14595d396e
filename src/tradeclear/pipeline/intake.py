"""The way in: one bounded memory channel to the matcher, whose items are batches.

A batch is sent when its first command comes, and filled until the matcher takes it. So commands
that come while the matcher is busy cost a list's append each, and one trip through the channel
together.
"""

from time import perf_counter
from typing import Final

import trio
from msgspec import Struct

from tradeclear.model.commands import Command
from tradeclear.model.errors import Overloaded, Stopping
from tradeclear.pipeline.outcome import Reply


class Submission(Struct, frozen=True, gc=False):
    """A command on its way in, and who is told what came of it."""

    command: Command
    reply: Reply
    since: float
    """Monotonic seconds (`perf_counter`) at which it was submitted."""


class Intake:
    """Where commands are put. `commands_max` may wait, beside the batch that is being matched."""

    def __init__(self, commands_max: int) -> None:
        self._commands_max: Final = commands_max
        self._send, self._receive = trio.open_memory_channel[list[Submission]](1)
        self._filling: list[Submission] = []
        self._sent = False
        self._closed = False

    def __len__(self) -> int:
        """How many commands wait."""
        return len(self._filling)

    def put_nowait(self, command: Command, reply: Reply) -> None:
        """Queue a command. Raises `Overloaded` when full, `Stopping` after `close`."""
        if self._closed:
            raise Stopping("the exchange is shutting down")
        if len(self._filling) >= self._commands_max:
            raise Overloaded
        self._filling.append(Submission(command, reply, perf_counter()))
        if not self._sent:
            self._sent = True
            self._send.send_nowait(self._filling)

    async def take(self) -> list[Submission]:
        """All that waits, at least one command. Raises `trio.EndOfChannel` when closed and empty.

        Cancelled, it has taken nothing.
        """
        batch = await self._receive.receive()
        self._filling = []
        self._sent = False
        return batch

    def abandon(self) -> list[Submission]:
        """Close, and give what nobody will take any more."""
        self.close()
        left, self._filling = self._filling, []
        return left

    def close(self) -> None:
        """Take no more; what waits can still be taken."""
        self._closed = True
        self._send.close()
