"""A trade as the core remembers it: what happened, and by which record."""

from msgspec import Struct

from tradeclear.model.events import TradeExecuted
from tradeclear.model.units import Micros, Seq


class Trade(Struct, frozen=True, array_like=True, gc=False):
    """`sequence` and `timestamp` are those of the command that caused it."""

    executed: TradeExecuted
    sequence: Seq
    timestamp: Micros
