"""The rule: hostile requests harm nobody; and a server that fails in any way is caught."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from tradeclear.testing.fuzz import Door, Plan, Report, fuzz, fuzz_own
from tradeclear.testing.fuzz_attacks import Attack

SEED = int(os.environ.get("TRADECLEAR_TEST_SEED", "20260101"))
REQUESTS = 1_000
PROBLEM = (
    b'{"type":"urn:tradeclear:problem:%b","title":"x","status":%d,"detail":"x","code":%d,'
    b'"name":"%b"}'
)


@pytest.mark.parametrize("door", ["front", "back"])
async def test_a_campaign_at_either_door(tmp_path: Path, door: Door) -> None:
    print(f"seed {SEED}: TRADECLEAR_TEST_SEED")  # noqa: T201
    report = await fuzz_own(Plan(requests=REQUESTS, seed=SEED), tmp_path / "home", door)
    assert report.findings == []
    assert report.requests == REQUESTS
    assert set(report.statuses) >= {200, 201, 400, 404, 405, 409}
    assert report.bystander.requests
    assert report.rss_max_mib
    assert report.aftermath is not None
    assert report.aftermath.records > REQUESTS / 4


def test_a_seed_and_a_number_make_an_attack() -> None:
    first, again = ([Plan(requests=0, seed=9).attack(n) for n in range(300)] for _ in range(2))
    assert first == again
    assert first != [Plan(requests=0, seed=10).attack(n) for n in range(300)]
    assert msgspec.json.decode(msgspec.json.encode(first), type=list[Attack]) == first


# What must be caught: servers that fail, each in a way of its own

Handler = Callable[[trio.SocketStream], Awaitable[None]]
ASKED = Attack(kind="proper", number=0, sends=(b"GET /healthz HTTP/1.1\r\n\r\n",), replies=1)


def response(status: int, body: bytes, kind: bytes = b"application/problem+json") -> bytes:
    return b"HTTP/1.1 %d \r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (
        status,
        kind,
        len(body),
        body,
    )


async def attacked(handler: Handler, *attacks: Attack) -> Report:
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, handler, 0, host="127.0.0.1")
        listeners: list[trio.SocketListener] = await nursery.start(serve)
        port = listeners[0].socket.getsockname()[1]
        plan = Plan(requests=0, seed=1, bystander_per_s=0.001)
        report = await fuzz(plan, "127.0.0.1", port, 0.2, kept=list(attacks))
        nursery.cancel_scope.cancel()
    report.findings = [finding for finding in report.findings if finding.attack is not None]
    return report


def saying(data: bytes) -> Handler:
    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some(65_536)
        await stream.send_all(data)
        await stream.aclose()

    return answer


async def silent(_stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


GOOD = response(200, b"{}", b"application/json")
FAILURES = {
    "500": (response(500, b"{}"), "status 500"),
    "a fault of ours": (response(503, PROBLEM % (b"internal_error", 503, 1018, b"internal_error")),
                        "a fault"),
    "another status inside": (response(404, PROBLEM % (b"x", 400, 1, b"x")), "without its name"),
    "no code": (response(400, b'{"status":400,"name":"x","detail":"x"}'), "without its name"),
    "no problem": (response(400, b"no", b"text/plain"), "as 'text/plain'"),
    "no JSON": (response(200, b"{", b"application/json"), "no JSON"),
    "no HTTP": (b"hello", "no HTTP"),
    "no status line": (b"HTTP/1.1 abc\r\n\r\n", "no status line"),
    "no header": (b"HTTP/1.1 200 \r\n\x00: x\r\n\r\n", "no header"),
    "a header twice": (b"HTTP/1.1 200 \r\na: x\r\na: x\r\n\r\n", "twice"),
    "no length": (b"HTTP/1.1 200 \r\n\r\n", "unknown length"),
    "cut off": (GOOD[:-1], "cut off"),
    "too few": (b"", "1 replies were due"),
    "too many": (GOOD * 2, "1 replies were due"),
    "a frame masked": (b"HTTP/1.1 101 \r\n\r\n\x81\x80", "no frame"),
    "a message without status": (b"HTTP/1.1 101 \r\n\r\n\x81\x02{}", "without a status"),
    "bytes after the end": (b"HTTP/1.1 101 \r\n\r\n\x88\x00\x88\x00", "after the close frame"),
    "a fault over WebSocket": (b"HTTP/1.1 101 \r\n\r\n\x88\x02\x03\xf3", "a fault closed"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
async def test_a_server_that_fails_is_caught(name: str) -> None:
    said, what = FAILURES[name]
    report = await attacked(saying(said), ASKED)
    assert [finding.attack for finding in report.findings] == [ASKED]
    assert what in report.findings[0].what


async def test_a_server_that_answers_is_not() -> None:
    report = await attacked(saying(GOOD), ASKED)
    assert (report.findings, dict(report.statuses)) == ([], {200: 1})


async def test_a_server_that_never_ends_is_caught() -> None:
    report = await attacked(silent, ASKED)
    assert "still open" in report.findings[0].what


async def test_nobody_there_is_caught() -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    report = await fuzz(Plan(requests=0, seed=1), "127.0.0.1", port, 0.2, kept=[ASKED])
    assert "nobody takes the connection" in report.findings[0].what
    assert any("bystander" in finding.what for finding in report.findings)
