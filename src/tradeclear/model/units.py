"""The integer units that money and time are counted in.

A price is a whole number of *ticks*, a quantity a whole number of *lots*; what a tick and a lot
are worth is the instrument's business (`instrument.py`). A product of the two is counted in
*tick-lots*. Floats are banned from money.
"""

from typing import Final, TypeAlias

Ticks: TypeAlias = int
Lots: TypeAlias = int
TickLots: TypeAlias = int
Seq: TypeAlias = int
"""Place of a record in a partition's log: 1, 2, 3 … without a gap."""
Micros: TypeAlias = int
"""Microseconds since 1970-01-01T00:00:00Z."""

LOTS_MAX: Final = 2**40
"""No order may be larger, so that a level of 2**22 orders still sums to under 64 bits."""
OPEN_ORDERS_MAX: Final = 2**22
"""No partition may hold more open orders."""
TICK_LOTS_MAX: Final = 2**63 - 1
"""No order may be worth more than this, so that every number in a record fits 64 bits."""
