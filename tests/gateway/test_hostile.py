"""The rule: no bytes whatever make the server fail, hang, or answer 5xx."""

import os
import random
import re
from typing import Any

import pytest
import trio

SEED = int(os.environ.get("TRADECLEAR_TEST_SEED", "20260101"))
CONNECTIONS = 200

ORDER = b'{"client_id":"A","side":"buy","type":"limit","price":70150.5,"quantity":"0.25"}'
SEEDS = [
    b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(ORDER), ORDER),
    b"POST /orders/batch HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n[%s,%s]"
    % (2 * len(ORDER) + 3, ORDER, ORDER),
    b"POST /orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    % (len(ORDER), ORDER),
    b'PATCH /orders/a%2Fb HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n{"price":1}',
    b"DELETE /orders?client_id=A&instrument=BTC-USD HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /orders?client_id=A&status=open,filled&limit=5&cursor=9 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /orderbook?instrument=BTC-USD&levels=20 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /trades?limit=50&before=7 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
]
PIECES = [
    b"\r\n", b"\n", b"\r", b"\x00", b"\xff", b" ", b":", b",", b"%", b"%00", b"?", b"&", b"=", b'"',
    b"[" * 5_000, b"{", b"}", b"\\ud800", b"1e999999999", b"NaN", b"-", b"9" * 400, b"null",
    b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"HTTP/1.1", b"HTTP/9.9", b"\t",
    b"Idempotency-Key: \xe9\r\n", b"Host: [\r\n", b"Expect: 100-continue\r\n", b"A" * 20_000,
]  # fmt: skip


def mutated(chance: random.Random) -> bytes:
    """A proper request, or two, with a few things wrong."""
    data = bytearray(b"".join(chance.choices(SEEDS, k=chance.choice((1, 1, 2)))))
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at:at] = chance.choice(PIECES)
            case 1:
                del data[at : at + chance.randint(1, 20)]
            case 2:
                data[at : at + 1] = chance.randbytes(1)
            case _:
                data[at:at] = data[: chance.randint(1, 60)]
    return bytes(data)


@pytest.mark.parametrize("number", range(3))
async def test_mutated_requests(start_server: Any, house: Any, capsys: Any, number: int) -> None:
    chance = random.Random(SEED + number)
    print(f"seed {SEED + number}: TRADECLEAR_TEST_SEED")  # noqa: T201
    app = house.app(body_timeout_s=0.2)
    server = await start_server(app=app, header_timeout_s=0.2, keep_alive_timeout_s=0.2)
    replies: list[tuple[bytes, bytes]] = []

    async def attack(request: bytes) -> None:
        replies.append((request, await server.exchange(request)))

    for _ in range(CONNECTIONS // 20):
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(attack, mutated(chance))
    statuses = set()
    for request, reply in replies:
        for status in re.findall(rb"^HTTP/1\.1 (\d{3})", reply, re.MULTILINE):
            assert status < b"500", (request, reply)
            statuses.add(int(status))
    assert statuses >= {200, 201, 400, 404}
    assert "request_failed" not in capsys.readouterr().out
    await server.assert_serving()
