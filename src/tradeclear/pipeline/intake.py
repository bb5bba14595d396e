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

WAIT_S_MAX: Final = 0.1
"""Older than this, the oldest of a long queue says that more comes in than can be matched."""

QUEUE_SHORT: Final = 1_000
"""A queue of fewer commands is never full: it is matched in a few hundredths of a second."""


class Submission(Struct, frozen=True, gc=False):
    """A command on its way in, and who is told what came of it."""

    command: Command
    reply: Reply
    since: float
    """Monotonic seconds (`perf_counter`) at which it was submitted."""


class Intake:
    """Where commands are put. `commands_max` may wait, beside the batch that is being matched.

    Fewer may, where the oldest has waited `WAIT_S_MAX`: what is taken is answered soon, however
    long the queue could be.
    """

    def __init__(self, commands_max: int) -> None:
        self._commands_max: Final = commands_max
        self._short: Final = min(QUEUE_SHORT, commands_max)
        self._send, self._receive = trio.open_memory_channel[list[Submission]](1)
        self._filling: list[Submission] = []
        self._sent = False
        self._closed = False

    def __len__(self) -> int:
        """How many commands wait."""
        return len(self._filling)

    @property
    def full(self) -> bool:
        """Whether no command is taken now."""
        waiting = len(self._filling)
        if waiting < self._short:
            return False
        late = perf_counter() - self._filling[0].since > WAIT_S_MAX
        return late or waiting >= self._commands_max

    def put_nowait(self, command: Command, reply: Reply) -> None:
        """Queue a command. Raises `Overloaded` when full, `Stopping` after `close`."""
        if self._closed:
            raise Stopping("the exchange is shutting down")
        if self.full:
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
