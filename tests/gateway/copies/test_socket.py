"""The rule: first the top, then what changed of it; 0 is gone; nobody can break it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from quart_trio.testing.connections import WebsocketDisconnectError

from tradeclear.gateway.app import App
from tradeclear.gateway.copies.socket import changes
from tradeclear.pipeline.book_image import BookImage

from .conftest import SOCKETS_MAX, SetCopies, levels


@asynccontextmanager
async def connected(app: App) -> AsyncGenerator[Any]:
    with trio.fail_after(10):
        async with app.test_client().websocket("/ws/depth") as websocket:
            yield websocket


def book(*bids: str) -> BookImage:
    return BookImage(sequence=1, bids=levels(*bids), asks=[])


async def test_the_top_and_then_what_changes(app: App, copies: SetCopies) -> None:
    async with connected(app) as websocket:
        assert await websocket.receive() == (
            '{"bids":[[100.5,0.25],[99,1]],"asks":[[101,0.00000001]]}'
        )
        copies.set("BTC-USD", book("100.5 0.3", "98 1"))
        assert json.loads(await websocket.receive()) == {
            "bids": [[99, 0], [100.5, 0.3], [98, 1]],
            "asks": [[101, 0]],
        }


async def test_another_book_is_told_from_its_beginning(app: App, copies: SetCopies) -> None:
    copies.set("ETH-USD", book("5 5"))
    async with connected(app) as websocket:
        await websocket.receive()
        await websocket.send('{"subscribe":"ETH-USD"}')
        assert await websocket.receive() == '{"subscribed":"ETH-USD"}'
        assert await websocket.receive() == '{"bids":[[5,5]],"asks":[]}'


@pytest.mark.parametrize(
    "message", ["", "{", "[]", '{"subscribe":1}', '{"subscribe":"X"}', '{"x":1}', "\x00", b"\xff"]
)
async def test_anything_else_is_answered_with_what_is_wrong(
    app: App, message: str | bytes, copies: SetCopies
) -> None:
    async with connected(app) as websocket:
        await websocket.receive()
        await websocket.send(message)
        assert "subscribe" in json.loads(await websocket.receive())["error"]
        copies.set("BTC-USD", book("1 1"))
        assert '"bids":' in await websocket.receive()


async def test_one_too_many_is_told_to_come_later(app: App) -> None:
    assert SOCKETS_MAX == 2
    async with connected(app) as first, connected(app) as second:
        await first.receive()
        await second.receive()
        async with connected(app) as third:
            await closed_to_come_later(third)
    async with connected(app) as fourth:
        assert await fourth.receive()


async def test_a_copy_that_is_not_fit_to_be_shown_ends_it(app: App, copies: SetCopies) -> None:
    async with connected(app) as websocket:
        await websocket.receive()
        copies.fail("Redis is gone")
        await closed_to_come_later(websocket)
    async with connected(app) as websocket:
        await closed_to_come_later(websocket)


async def closed_to_come_later(websocket: Any) -> None:
    with pytest.raises(WebsocketDisconnectError) as caught:
        await websocket.receive()
    assert caught.value.args == (1013,)


def test_only_the_ten_best_levels_count() -> None:
    before = book(*(f"{100 - number} 1" for number in range(11)))
    after = book("101 1", *(f"{100 - number} 1" for number in range(11)))
    assert changes(None, before) == (
        '{"bids":[[100,1],[99,1],[98,1],[97,1],[96,1],[95,1],[94,1],[93,1],[92,1],[91,1]],"asks":[]}'
    )
    assert changes(before, after) == '{"bids":[[91,0],[101,1]],"asks":[]}'
    assert changes(after, after) is None
