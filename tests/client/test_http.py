"""The rule: one question, one answer; and it is known whether a lost one was sent."""

import json
from decimal import Decimal
from typing import Any

import pytest
import trio

from tradeclear.client.commands import Amend, Cancel, Place, encode
from tradeclear.client.errors import Disconnected, Unreachable
from tradeclear.client.http import open_http

from .conftest import HASTE, HttpScript, reply


@pytest.mark.parametrize(
    ("command", "request_"),
    [
        (
            Place(client_id="a", side="buy", quantity=Decimal(1), idempotency_key="k"),
            ("POST", "/orders", None, "k"),
        ),
        (
            Amend(order_id="o/1", quantity=Decimal(1), idempotency_key="k"),
            ("PATCH", "/orders/o%2F1", None, "k"),
        ),
        (
            Cancel(order_id="o/1", client_id="a+b", idempotency_key="k"),
            ("DELETE", "/orders/o%2F1?client_id=a%2Bb", "k", None),
        ),
    ],
)
async def test_each_command_has_its_route(
    command: Any, request_: Any, http_script: HttpScript
) -> None:
    http_script.replies = [reply(200, {})]
    async with open_http(http_script.url, HASTE) as http:
        assert (await http.carry(command, encode(command))).done
    (sent,) = http_script.requests
    key = (sent.body or {}).get("idempotency_key")
    assert (sent.method, sent.path, sent.headers.get("idempotency-key"), key) == request_
    if isinstance(command, Amend):
        assert "op" not in sent.body


async def test_an_answer_comes_as_it_is(http_script: HttpScript) -> None:
    http_script.replies = [
        reply(201, b'{"price":1.10}', "Idempotency-Replayed: true"),
        reply(409, {"code": 1}),
    ]
    async with open_http(http_script.url, HASTE) as http:
        answer = await http.ask("GET", "/x")
        assert (answer.status, answer.body, answer.replayed) == (201, b'{"price":1.10}', True)
        answer = await http.ask("GET", "/x")
        assert (answer.status, json.loads(answer.body), answer.replayed) == (
            409,
            {"code": 1},
            False,
        )


async def test_a_connection_that_ends_before_the_answer(http_script: HttpScript) -> None:
    http_script.replies = [None]
    async with open_http(http_script.url, HASTE) as http:
        with pytest.raises(Disconnected):
            await http.ask("GET", "/x")


async def test_an_answer_that_takes_too_long(jumping_clock: object) -> None:
    async def silent(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, silent, [listener])
        async with open_http(f"http://127.0.0.1:{port}", HASTE) as http:
            with pytest.raises(Disconnected):
                await http.ask("GET", "/x")
        nursery.cancel_scope.cancel()


async def test_nobody_there() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    async with open_http(f"http://127.0.0.1:{port}", HASTE) as http:
        with pytest.raises(Unreachable):
            await http.ask("GET", "/x")
