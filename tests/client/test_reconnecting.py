"""The rule: connected again after each loss, with back-off, until that is of no use."""

import json
import math
from collections.abc import Callable

import trio

from tradeclear.client.backoff import Patience
from tradeclear.client.errors import NotUnderstood, Refused, Unreachable
from tradeclear.client.reconnecting import keep_connected
from tradeclear.client.websocket import WebSocket, websocket_url

from .conftest import HASTE, SocketScript, Talk, problem


async def listen(socket: WebSocket, worked: Callable[[], None]) -> None:
    while True:
        await socket.receive()
        worked()


async def test_each_loss_is_followed_by_a_connection(
    socket_script: SocketScript, jumping_clock: object
) -> None:
    async def leave(talk: Talk) -> None:
        await talk.close(1001, "shutting down")

    async def vanish(talk: Talk) -> None:
        await talk.connection._stream.aclose()

    socket_script.parts = [leave, vanish, leave]
    socket_script.rejection = (404, json.dumps(problem(1004, "unknown_route", 404)).encode())
    url = websocket_url(socket_script.url, "/x")
    failure = await keep_connected(url, listen, Patience(give_up_s=math.inf))
    assert isinstance(failure, Refused)
    assert len(socket_script.paths) == 4


async def test_another_language_ends_it(socket_script: SocketScript) -> None:
    url = websocket_url(socket_script.url, "/x")
    assert isinstance(await keep_connected(url, listen, HASTE), NotUnderstood)


async def test_what_passes_is_waited_for(
    socket_script: SocketScript, jumping_clock: object
) -> None:
    told = problem(1014, "stopping", 503, retry_after_s=3)
    socket_script.rejection = (503, json.dumps(told).encode())
    began = trio.current_time()
    patience = Patience(first_s=0.1, most_s=0.1, give_up_s=10)
    failure = await keep_connected(websocket_url(socket_script.url, "/x"), listen, patience)
    assert isinstance(failure, Unreachable)
    assert 6 < trio.current_time() - began < 10
    assert len(socket_script.paths) in (3, 4)
