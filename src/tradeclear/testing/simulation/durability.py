"""How far the log on the simulated disk would survive the worst power cut at this very moment.

Told from the durable bytes alone, and by a reader of its own: what the log says of itself is what
is to be checked.
"""

from struct import Struct as Layout
from typing import Final

from tradeclear.model.units import Seq
from tradeclear.testing.simulated_storage import SimulatedStorage

_HEADER: Final = Layout("<4sIIIQII")
_RECORDS: Final = 2


def durable_seq(storage: SimulatedStorage) -> Seq:
    """The newest record that no power cut can take; 0 if there is none."""
    newest = 0
    for name in sorted(storage.durable_names(), reverse=True):
        if not name.endswith(".log"):
            continue
        newest = max(newest, _last_seq(storage.durable(name) or b""))
        if newest:
            break
    return newest


def _last_seq(segment: bytes) -> Seq:
    """The last record of the frames that stand in a segment without a hole."""
    offset, newest = 0, 0
    while offset + _HEADER.size <= len(segment):
        _, kind, length, count, first_seq, _, _ = _HEADER.unpack_from(segment, offset)
        offset += _HEADER.size + length
        if not first_seq or offset > len(segment):
            break
        newest = first_seq + count - 1 if kind == _RECORDS else first_seq - 1
    return newest
