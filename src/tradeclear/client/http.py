"""Requests over HTTP, one answer each, over connections that are kept."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote

import httpx
import trio

from tradeclear.client.answer import Answer
from tradeclear.client.backoff import Patience
from tradeclear.client.commands import Amend, Cancel, Command, encode
from tradeclear.client.errors import Disconnected, Unreachable

CONNECTIONS_MAX: Final = 100
"""So many requests are under way at once; more wait, up to `reply_s_max`."""

REPLAYED: Final = "idempotency-replayed"
KEY: Final = "Idempotency-Key"
JSON: Final = {"Content-Type": "application/json"}


class Http:
    """Asks once, over a pool of connections."""

    def __init__(self, pool: httpx.AsyncClient, patience: Patience) -> None:
        self._pool: Final = pool
        self.patience: Final = patience

    async def carry(self, command: Command, text: bytes) -> Answer:
        """Carry a command to the route that is for it (see `order_entry.Carrier`)."""
        if isinstance(command, Cancel):
            path = f"/orders/{quoted(command.order_id)}"
            query = {} if command.client_id is None else {"client_id": command.client_id}
            return await self.ask("DELETE", path, query, key=command.idempotency_key)
        if isinstance(command, Amend):
            path = f"/orders/{quoted(command.order_id)}"
            return await self.ask("PATCH", path, body=encode(command.terms()))
        return await self.ask("POST", "/orders", body=text)

    async def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        body: bytes = b"",
        key: str | None = None,
    ) -> Answer:
        """Send a request and wait for its answer.

        Raises `Unreachable` if nothing was sent, `Disconnected` if no answer came. Cancelled, the
        request may have been sent.
        """
        headers = JSON if body else {}
        if key is not None:
            headers = {**headers, KEY: key}
        try:
            with trio.fail_after(self.patience.reply_s_max):
                response = await self._pool.request(
                    method, path, params=query or None, content=body or None, headers=headers
                )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable(f"cannot connect to {self._pool.base_url}: {said(error)}") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Disconnected(f"the answer was lost: {said(error)}") from error
        except trio.TooSlowError:
            raise Disconnected(f"no answer in {self.patience.reply_s_max:g} s") from None
        return Answer(response.status_code, response.content, REPLAYED in response.headers)


@asynccontextmanager
async def open_http(url: str, patience: Patience) -> AsyncGenerator[Http]:
    """Requests to `url`; nothing is connected before the first."""
    async with httpx.AsyncClient(
        base_url=url,
        timeout=patience.reply_s_max,
        limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
        trust_env=False,  # as the WebSockets: what stands in the environment moves no orders
    ) as pool:
        yield Http(pool, patience)


def said(error: Exception) -> str:
    """What an exception of httpx says; some say nothing."""
    return str(error) or type(error).__name__


def quoted(identity: str) -> str:
    """An id as one segment of a path."""
    return quote(identity, safe="")
