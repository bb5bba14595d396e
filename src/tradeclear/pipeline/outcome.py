"""What comes back for a command."""

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from tradeclear.model.errors import TradeclearError
from tradeclear.model.events import Record


class Outcome(Struct, frozen=True, gc=False):
    """A durable record; `replayed` if it is the answer to an earlier use of the idempotency key."""

    record: Record
    replayed: bool = False


Answer: TypeAlias = Outcome | TradeclearError | None
"""What a waiter is told: an outcome, why there is none, or (None) just that the time has come."""

Reply: TypeAlias = Callable[[Answer], None]
"""Called once, synchronously, when the answer may leave the process. Must not raise or block."""
