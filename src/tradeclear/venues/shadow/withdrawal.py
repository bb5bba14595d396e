"""The house's way out of the book, and its patient way in: nothing of it is ever dropped."""

from typing import Final

import trio

from tradeclear.model.commands import CancelAll, Command
from tradeclear.model.errors import Overloaded
from tradeclear.model.events import OrdersCancelled, Record
from tradeclear.model.units import Seq
from tradeclear.pipeline.exchange import Exchange

RETRY_S: Final = 0.1
"""Between two tries with an exchange that takes nothing just now."""


async def withdraw(exchange: Exchange, *clients: str) -> Seq:
    """Cancel all orders of `clients`; returns a record at which they had none.

    Raises `Stopping` or `OutcomeUnknown`.
    """
    seq: Seq = 0
    for client_id in clients:
        remaining = 1
        while remaining:
            record = await submit(exchange, CancelAll(client_id))
            told = record.events[0]
            assert isinstance(told, OrdersCancelled), "a cancel-all is never refused"
            seq, remaining = record.seq, told.remaining
    return seq


async def submit(exchange: Exchange, command: Command) -> Record:
    """Have `command` carried out, as soon as there is room for it.

    Raises `Stopping` or `OutcomeUnknown`.
    """
    while True:
        try:
            return (await exchange.submit(command)).record
        except Overloaded:
            await trio.sleep(RETRY_S)
