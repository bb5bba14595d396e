"""The same bytes for many: as close to a bare loop of write(2) as Python comes.

A delivery is mostly the kernel's time, and the rest of it is what stands in `tell`: so each
subscriber is asked for one number, and all that may be done once a piece or once a turn is done
there. Orders come in between, at least once a millisecond, and then go all their way.
"""

import os
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final, NamedTuple, TypeAlias

import trio

from tradeclear.gateway.streams.subscriber import Subscriber
from tradeclear.model.units import Seq

TURN_S: Final = 0.001
"""So long are deliveries made before other tasks get their turn."""

TURN_DELIVERIES: Final = 32
"""The time is looked at after so many."""

ORDER_TURNS: Final = 3
"""So many more turns of Trio's the others get when orders are coming in. An order is read, matched,
committed and answered by tasks of their own; between one and the next it must not wait for us."""

Fault: TypeAlias = Callable[[Subscriber, Exception], None]


class Piece(NamedTuple):
    """The same bytes for everyone in `members`; so many messages are in it."""

    data: bytes
    messages: int
    members: list[Subscriber]


async def hand_out(pieces: Sequence[Piece], fault: Fault, newest: Callable[[], Seq]) -> None:
    """Deliver every piece, a turn at a time. `fault` is called for whom a fault of ours met.

    `newest` gives the sequence of the newest command: when it moves, there are orders to make way
    for. Always a checkpoint. Cancelled, some have been told and some have not.
    """
    seen = newest()
    until = perf_counter() + TURN_S
    for data, _messages, members in pieces:
        for first in range(0, len(members), TURN_DELIVERIES):
            tell(data, members[first : first + TURN_DELIVERIES], fault)
            if perf_counter() > until:
                await trio.lowlevel.checkpoint()
                if newest() != seen:
                    await _give_way()
                    seen = newest()
                until = perf_counter() + TURN_S
    await trio.lowlevel.checkpoint()


async def _give_way() -> None:
    for _ in range(ORDER_TURNS):
        await trio.lowlevel.checkpoint()


def tell(data: bytes, members: Sequence[Subscriber], fault: Fault) -> None:
    """Deliver `data` to each of `members`.

    Where nothing waits, with a write; what this did not take, whatever the reason, is the
    subscriber's business, and so is everything where something waits already.
    """
    size = len(data)
    write = os.write
    for number, descriptor in enumerate([member.ready_descriptor for member in members]):
        sent = 0
        if descriptor >= 0:
            try:
                sent = write(descriptor, data)
                if sent == size:
                    continue
            except OSError:
                pass  # `deliver` meets it again, and knows what it means
        member = members[number]
        try:
            member.deliver(memoryview(data)[sent:] if sent else data)
        except Exception as error:
            fault(member, error)
