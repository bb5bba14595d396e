"""A connection to Redis: one, held for a session, every wait with an end.

coredis' clients make new connections behind one's back, and a Redis that was started again has
forgotten everything. So a session holds one connection of theirs, and ends with it.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, cast

import trio
from coredis import Redis
from coredis.connection import BaseConnection
from coredis.exceptions import RedisError

logging.getLogger("coredis").setLevel(logging.CRITICAL + 1)  # what it would say, we say

Command = tuple[str | int, ...]
"""Its name and arguments."""


class RedisUnavailable(Exception):
    """Redis can't be reached, does not answer in time, or refuses. Try again later."""


class Connection:
    """What is done with the connection of a session. Raises `RedisUnavailable`."""

    def __init__(self, connection: BaseConnection, timeout_s: float) -> None:
        self._connection: Final = connection
        self._timeout_s: Final = timeout_s

    async def transaction(self, commands: list[Command]) -> list[Any]:
        """Have all of `commands` carried out at one moment for every reader; their replies.

        Several tasks may have some under way. Cancelled, or if it raises, all were carried out or
        none.
        """
        with trio.move_on_after(self._timeout_s):
            try:
                return await self._transaction(commands)
            except (RedisError, OSError) as error:
                raise RedisUnavailable(explain(error)) from error
        raise RedisUnavailable(f"no answer within {self._timeout_s:g} s")

    async def _transaction(self, commands: list[Command]) -> list[Any]:
        request = self._connection.create_request
        requests = [
            request(str(name).encode(), *arguments, raise_exceptions=False)
            for name, *arguments in (("MULTI",), *commands, ("EXEC",))
        ]
        *queued, replies = [await one for one in requests]
        for reply in (*queued, replies):
            if isinstance(reply, Exception):
                raise reply
        for reply in cast(list[Any], replies):
            if isinstance(reply, Exception):
                raise reply
        return cast(list[Any], replies)

    async def subscribe(self, channels: list[str]) -> None:
        """Have what is published on `channels` come as `messages`, in the course of time.

        A refusal comes as that of the next transaction: nothing else is expected then.
        """
        try:
            if channels:
                self._connection.send_command(b"SUBSCRIBE", *channels)
        except RedisError as error:
            raise RedisUnavailable(explain(error)) from error
        await trio.lowlevel.checkpoint()

    async def messages(self) -> AsyncGenerator[tuple[str, bytes]]:
        """Channel and text of everything that is published, until the connection is lost."""
        try:
            async with aclosing(self._connection.push_messages) as pushes:
                async for push in pushes:
                    kind, channel, data, *_more = cast(list[Any], push)
                    if kind == b"message":
                        yield channel.decode(), data
        except RedisError as error:
            raise RedisUnavailable(explain(error)) from error


async def session(url: str, timeout_s: float, use: Callable[[Connection], Awaitable[None]]) -> None:
    """Connect, and do `use`. Raises `RedisUnavailable` if the one or the other fails."""
    failure: Exception | None = None
    async with _client(url) as client:
        try:
            use_with = Connection(await _connect(client, timeout_s), timeout_s)
            await use(use_with)
        except RedisUnavailable as error:
            failure = error  # out of here, it would be in a group
    if failure is not None:
        raise failure


def _client(url: str) -> Redis[bytes]:
    try:
        return Redis.from_url(url, max_connections=1, decode_components=True)
    except Exception:  # whatever it is, its words may repeat a password
        raise RedisUnavailable("the URL has parameters that are not understood") from None


async def _connect(client: Redis[bytes], timeout_s: float) -> BaseConnection:
    with trio.move_on_after(timeout_s) as scope:
        try:
            connection: BaseConnection = await client.connection_pool.get_connection()
            return connection
        except (RedisError, OSError) as error:
            if not scope.cancel_called:  # else coredis takes our patience for Redis' refusal
                raise RedisUnavailable(explain(error)) from error
    raise RedisUnavailable(f"no connection within {timeout_s:g} s")


def explain(error: BaseException) -> str:
    """The words of an error and of what caused it."""
    words = [str(error) or type(error).__name__]
    while (cause := error.__cause__) is not None:
        words.append(str(cause) or type(cause).__name__)
        error = cause
    return ": ".join(dict.fromkeys(words))
