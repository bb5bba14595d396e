"""The rule: texts go both ways, and a connection that is dead is noticed, however it died."""

import json

import pytest
import trio

from tradeclear.client.errors import Disconnected, NotUnderstood, Refused, Unreachable
from tradeclear.client.websocket import open_websocket, websocket_url

from .conftest import SocketScript, Talk, problem


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/stream"),
        ("https://exchange.example/", "wss://exchange.example/stream"),
        ("https://exchange.example/api", "wss://exchange.example/api/stream"),
    ],
)
def test_urls(url: str, expected: str) -> None:
    assert websocket_url(url, "/stream") == expected


async def test_texts_and_the_reason_of_the_end(socket_script: SocketScript) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        await talk.say(heard=await talk.hear())
        await talk.close(4008, "too slow")

    async with open_websocket(websocket_url(socket_script.url, "/x")) as socket:
        await socket.send(b'{"a":1}')
        assert json.loads(await socket.receive()) == {"heard": {"a": 1}}
        with pytest.raises(Disconnected) as lost:
            await socket.receive()
        assert lost.value.code == 4008
        with pytest.raises(Disconnected):
            await socket.send(b"{}")
    assert socket_script.paths == ["/x"]


async def test_silence_is_no_loss_while_pings_are_answered(
    socket_script: SocketScript, jumping_clock: object
) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        await trio.sleep(100)
        await talk.say(late=True)
        await talk.until_gone()

    async with open_websocket(websocket_url(socket_script.url, "/x")) as socket:
        assert json.loads(await socket.receive()) == {"late": True}


async def test_a_ping_that_is_not_answered_is_a_loss(jumping_clock: object) -> None:
    async def mute(stream: trio.SocketStream) -> None:
        """Shakes hands as RFC 6455 has it, and says nothing more."""
        from tradeclear.gateway.door.socket import handshake  # no client of ours says this

        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive_some()
        key = data.lower().split(b"sec-websocket-key: ")[1]
        start = len(data) - len(key)
        await stream.send_all(handshake(data[start:].split(b"\r\n")[0]))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, mute, [listener])
        port = listener.socket.getsockname()[1]
        async with open_websocket(f"ws://127.0.0.1:{port}/x") as socket:
            began = trio.current_time()
            with pytest.raises(Disconnected, match="ping"):
                await socket.receive()
            assert trio.current_time() - began < 20
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, json.dumps(problem(1004, "unknown_route", 404)).encode(), Refused),
        (503, json.dumps(problem(1014, "stopping", 503)).encode(), Refused),
        (502, b"<html>", Unreachable),
        (404, b"<html>", NotUnderstood),
    ],
)
async def test_a_refused_handshake(
    status: int, body: bytes, error: type[Exception], socket_script: SocketScript
) -> None:
    socket_script.rejection = (status, body)
    with pytest.raises(error):
        async with open_websocket(websocket_url(socket_script.url, "/x")):
            pass


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00" * 100,
    ],
)
async def test_what_is_no_websocket(answer: bytes, jumping_clock: object) -> None:
    async def speak(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, speak, [listener])
        with pytest.raises((Disconnected, Unreachable)):
            async with open_websocket(f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/x"):
                pass
        nursery.cancel_scope.cancel()


async def test_an_error_of_the_body_comes_out_as_it_is(socket_script: SocketScript) -> None:
    async def body() -> None:
        async with open_websocket(websocket_url(socket_script.url, "/x")):
            raise ValueError("mine")

    socket_script.parts = [Talk.until_gone]
    with pytest.raises(ValueError, match="mine"):
        await body()


async def test_nobody_there() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    with pytest.raises(Unreachable):
        async with open_websocket(f"ws://127.0.0.1:{port}/x"):
            pass


async def test_a_server_that_hangs_up_is_noticed_at_once(jumping_clock: object) -> None:
    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, hang_up, [listener])
        began = trio.current_time()
        with pytest.raises(Unreachable):
            async with open_websocket(f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/x"):
                pass
        assert trio.current_time() == began
        nursery.cancel_scope.cancel()
