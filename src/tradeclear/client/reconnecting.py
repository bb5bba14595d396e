"""A WebSocket that is kept up: connected again after each loss, with back-off."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from tradeclear.client.backoff import Backoff, Patience
from tradeclear.client.errors import ClientError, Disconnected, NotUnderstood, Refused, Unreachable
from tradeclear.client.websocket import WebSocket, open_websocket

Talk: TypeAlias = Callable[[WebSocket, Callable[[], None]], Awaitable[None]]
"""What is done over each connection, until it raises. It calls what it is given when that works."""


async def keep_connected(url: str, talk: Talk, patience: Patience) -> ClientError:
    """Connect and talk, over and over; returns the reason when that is of no use any more."""
    backoff = Backoff(patience)
    while True:
        least_s = 0.0
        failure: ClientError
        try:
            async with open_websocket(url) as socket:
                await talk(socket, backoff.reset)
            failure = Disconnected("there was nothing more to say")
        except (Unreachable, Disconnected) as error:
            failure = error
        except Refused as error:
            if not error.passing:
                return error
            failure, least_s = error, error.retry_after_s or 0
        except NotUnderstood as error:
            return error
        wait_s = backoff.next_s(least_s)
        if wait_s is None:
            return Unreachable(f"no connection in {patience.give_up_s:g} s: {failure}")
        await trio.sleep(wait_s)
