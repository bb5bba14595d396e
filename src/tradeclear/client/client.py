"""The way in: everything that a client does, at one exchange."""

import math
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from tradeclear.client.backoff import Patience
from tradeclear.client.depth import Depth, open_depth
from tradeclear.client.http import Http, open_http
from tradeclear.client.market import Market
from tradeclear.client.order_entry import OrderEntry
from tradeclear.client.order_socket import open_order_socket
from tradeclear.client.orders import Orders
from tradeclear.client.stream import Stream, open_stream
from tradeclear.client.topic import Topic
from tradeclear.model.errors import InvalidField

DEFAULT_URL: Final = "http://127.0.0.1:8000"


class Client:
    """One exchange. `market` reads what everybody may see; the rest is opened as it is needed.

    `patience` is that of requests and orders; `stream_patience` that of streams, which by default
    never give up.
    """

    def __init__(self, url: str, http: Http, patience: Patience, stream_patience: Patience) -> None:
        self.url: Final = url
        self.market: Final = Market(http)
        self._http: Final = http
        self._patience: Final = patience
        self._stream_patience: Final = stream_patience

    def orders(self, client_id: str) -> Orders:
        """The orders of `client_id`, over HTTP: one request each."""
        return Orders(client_id, self._http)

    def order_socket(self, client_id: str) -> AbstractAsyncContextManager[OrderEntry]:
        """Order entry over one WebSocket: `async with` it; commands are pipelined."""
        return open_order_socket(self.url, client_id, self._patience)

    def stream(self, *topics: Topic) -> AbstractAsyncContextManager[Stream]:
        """What happens to `topics`: `async with` it, then `async for`. A connection of its own."""
        return open_stream(self.url, *topics, patience=self._stream_patience)

    def depth(
        self, instrument: str, *, interval_ms: int | None = None
    ) -> AbstractAsyncContextManager[Depth]:
        """A live book: `async with` it, which waits until it is there. A connection of its own."""
        return open_depth(
            self.url, instrument, interval_ms=interval_ms, patience=self._stream_patience
        )


@asynccontextmanager
async def open_client(
    url: str = DEFAULT_URL,
    *,
    patience: Patience | None = None,
    stream_patience: Patience | None = None,
) -> AsyncGenerator[Client]:
    """A client of the exchange at `url`. Nothing is connected before it is needed.

    Raises `InvalidField` if `url` can't be one.
    """
    if not _is_url(url):
        raise InvalidField("url", f"must be like {DEFAULT_URL}, not {url!r:.80}")
    patience = patience or Patience()
    async with open_http(url, patience) as http:
        yield Client(url, http, patience, stream_patience or Patience(give_up_s=math.inf))


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
