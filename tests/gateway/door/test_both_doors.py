"""The rule: whatever bytes come, either door gives the same answer and the connection the same end.

Every request is sent to both doors, each over an exchange of its own in the same state, in three
ways: with another request right behind it, with the end of the stream behind it, and in pieces.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
import trio

from tradeclear.gateway.rate_limits import RateLimits, TokenBuckets
from tradeclear.model.errors import Overloaded, Quarantined, Stopping

LAST = b"GET /orders/o1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
"""Where several orders are taken up together, they have one time."""

UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def request(line: bytes, body: bytes | None = b"", *headers: bytes) -> bytes:
    lines = [line + b" HTTP/1.1", b"Host: x", *headers]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def order(**changes: Any) -> bytes:
    fields = {"client_id": "A", "order_id": "n", "side": "buy", "price": "100", "quantity": "1"}
    return json.dumps({k: v for k, v in {**fields, **changes}.items() if v is not None}).encode()


def chunked(line: bytes, *chunks: bytes) -> bytes:
    head = request(line, None, b"Transfer-Encoding: chunked")
    return head + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (*chunks, b""))


PLACE = request(b"POST /orders", order())
KEY = b"Idempotency-Key: k1"

PLAIN = {
    "place": PLACE,
    "place, id generated": request(b"POST /orders", order(order_id=None)),
    "place, trades": request(b"POST /orders", order(price="200", quantity="3")),
    "place, market": request(b"POST /orders", order(type="market", price=None)),
    "place, rejected": request(b"POST /orders", order(price="200", post_only=True)),
    "place, other instrument": request(b"POST /orders", order(instrument="ETH-USD")),
    "place, duplicate id": request(b"POST /orders", order(order_id="o1")),
    "place, instrument not trading": request(b"POST /orders", order(instrument="OLD-USD")),
    "place, unknown instrument": request(b"POST /orders", order(instrument="X")),
    "place, no quantity": request(b"POST /orders", order(quantity=None)),
    "place, bad tick": request(b"POST /orders", order(price="0.001")),
    "place, huge number": request(b"POST /orders", order(price="1e999999999")),
    "place, unknown field": request(b"POST /orders", b'{"a":1}'),
    "place, no body": request(b"POST /orders", None),
    "place, empty body": request(b"POST /orders"),
    "place, not JSON": request(b"POST /orders", b"\x00\xff"),
    "place, an array": request(b"POST /orders", b"[1]"),
    "place, deep": request(b"POST /orders", b"[" * 100_000),
    "place, not UTF-8": request(b"POST /orders", b'{"client_id":"\xff"}'),
    "place, form": request(b"POST /orders", b"a=b", b"Content-Type: text/plain"),
    "place, body like a head": request(b"POST /orders", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "place with a key": request(b"POST /orders", order(), KEY),
    "place with a key again": request(b"POST /orders", order(order_id="o1"), b"Idempotency-Key: k"),
    "place with a key for another": request(b"POST /orders", order(), b"Idempotency-Key: k"),
    "place with a blank key": request(b"POST /orders", order(), b"Idempotency-Key:"),
    "place with blanks around a key": request(b"POST /orders", order(), b"Idempotency-Key:  z \t"),
    "place with a bad key": request(b"POST /orders", order(), b"Idempotency-Key: a b"),
    "place with two keys": request(b"POST /orders", order(), KEY, b"Idempotency-Key: k2"),
    "place with one key twice": request(b"POST /orders", order(), KEY, KEY),
    "place with a foreign key": request(b"POST /orders", order(), b"Idempotency-Key: \xe9"),
    "place with key and other key": request(b"POST /orders", order(idempotency_key="z"), KEY),
    "cancel": request(b"POST /orders/o1/cancel"),
    "cancel, no length": request(b"POST /orders/o1/cancel", None),
    "cancel with a body": request(b"POST /orders/o1/cancel", b'{"client_id":"A"}'),
    "cancel another's": request(b"POST /orders/o1/cancel", b'{"client_id":"B"}'),
    "cancel with a query": request(b"POST /orders/o1/cancel?client_id=A"),
    "cancel, bad body": request(b"POST /orders/o1/cancel", b"{"),
    "cancel, unknown": request(b"POST /orders/zzz/cancel"),
    "cancel, closed": request(b"POST /orders/gone/cancel"),
    "cancel, bad id": request(b'POST /orders/a"b/cancel'),
    "cancel, fragment": request(b"DELETE /orders/o1#x"),
    "cancel, semicolon": request(b"DELETE /orders/o1;x"),
    "cancel, long id": request(b"DELETE /orders/" + b"a" * 65),
    "cancel, escaped id": request(b"DELETE /orders/o%31"),
    "cancel, slash in id": request(b"DELETE /orders/a%2Fb"),
    "cancel, bad escape": request(b"DELETE /orders/%zz"),
    "cancel, dots": request(b"DELETE /orders/.."),
    "cancel, empty id": request(b"POST /orders//cancel"),
    "cancel, two segments": request(b"POST /orders/a/b/cancel"),
    "delete": request(b"DELETE /orders/o1"),
    "delete with a key": request(b"DELETE /orders/o1", b"", KEY),
    "delete the order called batch": request(b"DELETE /orders/batch"),
    "cancel the order called batch": request(b"POST /orders/batch/cancel"),
    "amend the order called batch": request(b"PATCH /orders/batch", b'{"price":1}'),
    "cancel all": request(b"DELETE /orders?client_id=A"),
    "amend": request(b"PATCH /orders/o1", b'{"price":"101"}'),
    "amend, other ticks": request(b"PATCH /orders/e1", b'{"price":"99.95"}'),
    "amend, bad tick": request(b"PATCH /orders/e1", b'{"price":"99.99"}'),
    "amend, unknown": request(b"PATCH /orders/zzz", b'{"price":"101"}'),
    "amend, empty": request(b"PATCH /orders/o1", b"{}"),
    "amend, no body": request(b"PATCH /orders/o1", None),
    "batch": request(b"POST /orders/batch", b"[%b,%b,1]" % (order(), order(order_id="m"))),
    "batch, nothing": request(b"POST /orders/batch", b"[]"),
    "batch, too many": request(b"POST /orders/batch", b"[" + b"{}," * 1000 + b"{}]"),
    "batch with a key": request(b"POST /orders/batch", b"[%b]" % order(), KEY),
    "batch, bad": request(b"POST /orders/batch", b"{}"),
    "GET batch": request(b"GET /orders/batch", None),
    "PUT": request(b"PUT /orders", order()),
    "OPTIONS": request(b"OPTIONS /orders", None),
    "OPTIONS *": request(b"OPTIONS *", None),
    "TRACE": request(b"TRACE /orders", None),
    "lower-case method": request(b"post /orders", order()),
    "unknown method": request(b"BREW /orders", order()),
    "read": request(b"GET /orders/o1", None),
    "list": request(b"GET /orders?client_id=A", None),
    "nowhere": request(b"POST /nowhere", order()),
    "trailing slash": request(b"POST /orders/", order()),
    "two slashes": request(b"POST //orders", order()),
    "query": request(b"POST /orders?a=b", order()),
    "empty query": request(b"POST /orders?", order()),
    "absolute URL": request(b"POST http://other/orders", order()),
    "chunked": chunked(b"POST /orders", order()[:10], order()[10:]),
    "chunked, cancel": chunked(b"DELETE /orders/o1"),
    "expect": request(b"POST /orders", order(), b"Expect: 100-continue"),
    "expect something else": request(b"POST /orders", order(), b"Expect: magic"),
    "connection close": request(b"POST /orders", order(), b"Connection: close"),
    "connection keep-alive": request(b"POST /orders", order(), b"Connection: Keep-Alive"),
    "connection, both": request(b"POST /orders", order(), b"Connection: keep-alive, close"),
    "upgrade": request(b"POST /orders", order(), b"Upgrade: h2c", b"Connection: upgrade"),
    "HTTP/1.0": PLACE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/1.0, keep-alive": PLACE.replace(b"1.1\r\n", b"1.0\r\nConnection: keep-alive\r\n", 1),
    "many headers": request(b"POST /orders", order(), *[b"A: b"] * 1_500),
    "a long header": request(b"POST /orders", order(), b"A: " + b"a" * 16_000),
    "odd header values": request(b"POST /orders", order(), b"A: \xe9\t\x7f", b"B:"),
    "blanks before a value": request(b"POST /orders", order(), b"A: \t  b  \t"),
    "large body": request(b"POST /orders", order() + b" " * 900_000),
}

HOSTILE = {
    "nothing": b"",
    "half a line": b"POST /ord",
    "half a head": b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-",
    "half a body": PLACE[:-1],
    "a blank line": b"\r\n",
    "blank lines": b"\r\n\r\n",
    "a blank line first": b"\r\n" + PLACE,
    "a line feed first": b"\n" + PLACE,
    "a blank first": b" " + PLACE,
    "bare line feeds": PLACE.replace(b"\r\n", b"\n"),
    "one bare line feed": PLACE.replace(b"x\r\n", b"x\n"),
    "bare line feeds at the end": PLACE.replace(b"\r\n\r\n", b"\n\n"),
    "mixed end": PLACE.replace(b"\r\n\r\n", b"\n\r\n"),
    "carriage returns only": PLACE.replace(b"\r\n", b"\r"),
    "two blanks": PLACE.replace(b"POST ", b"POST  "),
    "two blanks more": PLACE.replace(b" HTTP", b"  HTTP"),
    "a tab": PLACE.replace(b" HTTP", b"\tHTTP"),
    "no version": PLACE.replace(b" HTTP/1.1", b""),
    "version 2.0": PLACE.replace(b"1.1", b"2.0", 1),
    "version 1.2": PLACE.replace(b"1.1", b"1.2", 1),
    "version 1.11": PLACE.replace(b"1.1", b"1.11", 1),
    "lower-case version": PLACE.replace(b"HTTP", b"http"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)),
    "zeros": bytes(30_000),
    "a zero in the line": PLACE.replace(b"/orders", b"/orders\x00"),
    "a zero in a name": request(b"POST /orders", order(), b"A\x00: b"),
    "a zero in a value": request(b"POST /orders", order(), b"A: b\x00"),
    "foreign target": PLACE.replace(b"/orders", b"/orders/\xc3\xa9"),
    "no host": PLACE.replace(b"Host: x\r\n", b""),
    "two hosts": PLACE.replace(b"Host: x", b"Host: x\r\nHost: x"),
    "blank before the colon": PLACE.replace(b"Host:", b"Host :"),
    "no colon": request(b"POST /orders", order(), b"abc"),
    "no name": request(b"POST /orders", order(), b": abc"),
    "folded": request(b"POST /orders", order(), b"A: b\r\n c"),
    "folded length": PLACE.replace(b"Content-Length:", b"Content-Length:\r\n"),
    "folded first": PLACE.replace(b"Host: x", b" Host: y\r\nHost: x"),
    "two lengths, the same": request(
        b"POST /orders", order(), b"Content-Length: %d" % len(order())
    ),
    "two lengths": request(b"POST /orders", order(), b"Content-Length: 1"),
    "a list of lengths": PLACE.replace(b"Length: ", b"Length: 1, "),
    "length +": PLACE.replace(b"Length: ", b"Length: +"),
    "length -": PLACE.replace(b"Length: ", b"Length: -"),
    "length 0x": PLACE.replace(b"Length: ", b"Length: 0x"),
    "length with zeros": PLACE.replace(b"Length: ", b"Length: 0000000000"),
    "length with blanks": PLACE.replace(b"Length: ", b"Length:   \t"),
    "no length in it": PLACE.replace(b"Length: %d" % len(order()), b"Length:"),
    "a length beyond all": PLACE.replace(b"Length: ", b"Length: 9999999999999999999999"),
    "a body too large": request(b"POST /orders", b"x" * 1_048_577),
    "length and chunks": request(b"POST /orders", b"0\r\n\r\n", b"Transfer-Encoding: chunked"),
    "chunks of nonsense": request(b"POST /orders", None, b"Transfer-Encoding: chunked") + b"zz\r\n",
    "unknown encoding": request(b"POST /orders", order(), b"Transfer-Encoding: gzip"),
    "a head too large": request(b"POST /orders", order(), b"A: " + b"a" * 17_000),
    "a head too large, no end": b"POST /orders HTTP/1.1\r\nA: " + b"a" * 17_000,
    "a line too large": request(b"POST /orders?" + b"a" * 17_000, order()),
    "headers without end": b"POST /orders HTTP/1.1\r\n" + b"A: b\r\n" * 4_000,
    "garbage after a request": PLACE + b"\x00\x01\x02",
    "garbage after a reply": request(b"GET /healthz", None) + b"\xff",
    "a body where none belongs": request(b"DELETE /orders/o1", None) + order(),
    "a short length": PLACE.replace(b"Length: %d" % len(order()), b"Length: 5"),
    "a long length": PLACE.replace(b"Length: %d" % len(order()), b"Length: 85"),
}

PIPELINES = {
    "orders": b"".join(request(b"POST /orders", order(order_id=f"p{n}")) for n in range(300)),
    "order, amend, cancel": request(b"POST /orders", order(instrument="ETH-USD"))
    + request(b"PATCH /orders/n", b'{"price":"99.95"}')
    + request(b"DELETE /orders/n"),
    "amend, read, amend": request(b"PATCH /orders/o1", b'{"price":"101"}')
    + request(b"GET /orders/o1", None)
    + request(b"PATCH /orders/o1", b'{"price":"102"}'),
    "order, batch, order": PLACE
    + request(b"POST /orders/batch", b'[{"op":"cancel","order_id":"n"}]')
    + request(b"POST /orders", order(order_id="n2")),
    "order, read": PLACE + request(b"GET /orders/n", None),
    "refused, order, read": request(b"POST /orders", b"{")
    + PLACE
    + request(b"GET /orders/n", None),
    "order, close, order": PLACE
    + request(b"DELETE /orders/n", b"", b"Connection: close")
    + request(b"POST /orders", order(order_id="never")),
    "order, garbage": PLACE + b"\x00\x00\x00\x00",
    "order, too large": PLACE + request(b"POST /orders", b"x" * 1_048_577),
    "keys": b"".join(request(b"POST /orders", order(), b"Idempotency-Key: kk") for _ in range(5)),
}


class Told(NamedTuple):
    """A response, without what must differ."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def responses(data: bytes, *, head_only: bool = False) -> list[Told]:
    """All responses in `data`, which must be nothing else."""
    found = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        assert end, head
        first, *lines = head.split(b"\r\n")
        version, status, *_ = first.split(b" ")
        assert version == b"HTTP/1.1"
        headers = sorted((n.lower(), v.strip()) for n, _, v in (x.partition(b":") for x in lines))
        body = b""
        if not (head_only and not found) and int(status) >= 200:
            size = int(dict(headers)[b"content-length"])
            assert len(data) >= size, (head, data)
            body, data = TIME.sub(b"<time>", UUID.sub(b"<id>", data[:size])), data[size:]
        kept = [header for header in headers if header[0] != b"date"]
        assert int(status) < 200 or len(kept) == len(headers) - 1, "a response says when"
        found.append(Told(int(status), kept, body))
    return found


async def prepare(house: Any, limits: RateLimits) -> None:
    """Orders to cancel, amend and trade with; the buckets as full as ever afterwards."""
    app = house.app(limits=limits)
    client = app.test_client()
    for body, key in (
        (order(order_id="o1"), "k"),
        (order(order_id="e1", instrument="ETH-USD"), "ke"),
        (order(order_id="gone"), "kg"),
        (order(order_id="batch"), "kb"),
        (order(order_id="s1", client_id="S", side="sell", price="150"), "ks"),
    ):
        reply = await client.post("/orders", data=body, headers={"Idempotency-Key": key})
        assert reply.status_code == 201
    assert (await client.delete("/orders/gone")).status_code == 200


def buckets(**settings: Any) -> RateLimits:
    """A thousand tokens that never come back: the clock stands still."""
    still: Any = {"rate_per_s": 1, "burst": 1000, "clock": lambda: 0.0, **settings}
    return RateLimits(client=TokenBuckets(**still), address=TokenBuckets(**still))


@pytest.fixture
def at_both(open_house: Any, start_door: Any) -> Callable[..., Any]:
    """`await at_both(talk)`: what `talk(door)` came to at the front door and at the other."""

    async def ask(talk: Callable[..., Any], broken: Any = None, **settings: Any) -> Any:
        results = []
        for front in (True, False):
            async with open_house() as house:
                limits = settings.get("limits", buckets)()
                await prepare(house, limits)
                if broken is not None:
                    broken(house)
                running = await start_door(
                    front=front, house=house, **{**settings, "limits": limits}
                )
                told = await talk(running)
                state = sorted(
                    (o.order_id if o.order_id[:8] not in told_ids(o) else "<id>", o.status, o.price)
                    for o in house.engine.orders.by_id.values()
                )
                results.append((told, state))
                running.scope.cancel()
                with trio.fail_after(10):
                    await running.stopped.wait()
        return results

    return ask


def told_ids(one: Any) -> tuple[str, ...]:
    """The start of an id that was generated, which may differ."""
    return (one.order_id[:8],) if UUID.fullmatch(one.order_id.encode()) else ()


async def talk_on(running: Any, data: bytes) -> bytes:
    """`data` with another request right behind it."""
    return await running.ask(data + LAST)


async def end_there(running: Any, data: bytes) -> bytes:
    """`data`, and the end of the stream."""
    wire = await running.connect()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_and_end, wire, data)
        return await wire.rest()


async def send_and_end(wire: Any, data: bytes) -> None:
    await wire.pour(data)
    with suppress(trio.BrokenResourceError):
        await wire.stream.send_eof()


async def in_pieces(running: Any, data: bytes) -> bytes:
    """`data` in pieces that arrive one by one, and another request."""
    wire = await running.connect()
    size = max(11, len(data) // 50)
    data += LAST
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            for at in range(0, len(data), size):
                await wire.pour(data[at : at + size])
                await trio.testing.wait_all_tasks_blocked()

        nursery.start_soon(send)
        return await wire.rest()


WAYS = [talk_on, end_there, in_pieces]
HEADS = [request(b"HEAD /orders", None), request(b"HEAD /orders/o1", None)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PLAIN)
async def test_plain_requests(at_both: Any, name: str, way: Any) -> None:
    async def talk(running: Any) -> list[Told]:
        return responses(await way(running, PLAIN[name]))

    front, behind = await at_both(talk)
    assert front == behind
    assert front[0], "there is an answer"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_bytes(at_both: Any, name: str, way: Any) -> None:
    async def talk(running: Any) -> list[Told]:
        return responses(await way(running, HOSTILE[name]))

    front, behind = await at_both(talk)
    assert front == behind


@pytest.mark.parametrize("way", [talk_on, in_pieces])
async def test_a_large_body_is_refused_before_it_comes(at_both: Any, way: Any) -> None:
    """Where the client ends at once, the door behind is torn between 413 and 400."""

    async def talk(running: Any) -> list[Told]:
        return responses(
            await way(running, request(b"POST /orders", None, b"Content-Length: 99999999"))
        )

    front, behind = await at_both(talk)
    assert front == behind
    assert front[0][0].status == 413


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PIPELINES)
async def test_pipelines(at_both: Any, name: str, way: Any) -> None:
    async def talk(running: Any) -> list[Told]:
        return responses(await way(running, PIPELINES[name]))

    front, behind = await at_both(talk)
    assert front == behind
    assert len(front[0]) >= 2


@pytest.mark.parametrize("data", HEADS)
async def test_head_requests(at_both: Any, data: bytes) -> None:
    async def talk(running: Any) -> list[Told]:
        return responses(await talk_on(running, data), head_only=True)

    front, behind = await at_both(talk)
    assert front == behind
    assert len(front[0]) == 2


# Limits


@pytest.mark.parametrize(
    "data",
    [
        PLACE,
        request(b"DELETE /orders/o1", b'{"client_id":"A"}'),
        request(b"DELETE /orders/o1"),
        request(b"PATCH /orders/o1", b'{"price":"101","client_id":"A"}'),
        request(b"POST /orders/batch", b"[%b,%b,%b]" % ((order(),) * 3)),
        request(b"POST /orders", order(), b"Idempotency-Key: k"),
        request(b"POST /orders", b"{"),
        request(b"GET /orders/o1", None),
    ],
)
async def test_rate_limits(at_both: Any, data: bytes) -> None:
    async def talk(running: Any) -> list[Told]:
        return responses(await talk_on(running, data * 12))

    front, behind = await at_both(talk, limits=lambda: buckets(burst=9))
    assert front == behind
    assert 429 in [told.status for told in front[0]]


@pytest.mark.parametrize(
    "error", [Overloaded(2.5), Stopping("stopping"), Quarantined("ab"), ZeroDivisionError()]
)
async def test_refusals_of_the_exchange(at_both: Any, error: Exception, capsys: Any) -> None:
    def broken(house: Any) -> None:
        def submit_nowait(*command: Any) -> None:
            raise error

        house.partition.submit_nowait = submit_nowait

    async def talk(running: Any) -> list[Told]:
        return responses(await talk_on(running, PLACE + request(b"DELETE /orders/o1")))

    front, behind = await at_both(talk, broken)
    assert front == behind
    assert [told.status for told in front[0][:2]] == [422 if "ab" in str(error) else 503] * 2
    logged = capsys.readouterr().out.count('"request_failed"')
    assert logged in (0, 4) if isinstance(error, ZeroDivisionError) else logged == 0


@pytest.mark.parametrize("data", [b"POST /orders HT", PLACE[:-1], PLACE[:-1] + b"", b"GET / HTTP"])
async def test_waiting_in_vain(at_both: Any, data: bytes) -> None:
    async def talk(running: Any) -> list[Told]:
        wire = await running.connect()
        await wire.send(data)
        told = responses(await wire.rest())
        await running.assert_serving()
        return told

    front, behind = await at_both(
        talk, header_timeout_s=0.2, body_timeout_s=0.2, keep_alive_timeout_s=5
    )
    assert front == behind
    assert [told.status for told in front[0]] == [408]


async def test_silence(at_both: Any) -> None:
    async def talk(running: Any) -> bytes:
        wire = await running.connect()
        await wire.send(PLACE)
        return bytes(UUID.sub(b"", re.sub(rb"date: .*|HTTP.*", b"", await wire.rest())))

    front, behind = await at_both(talk, keep_alive_timeout_s=0.2)
    assert sorted(front[0].splitlines()) == sorted(behind[0].splitlines())


# The WebSocket

SHAKE = request(
    b"GET /ws/orders",
    None,
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.mark.parametrize(
    "data",
    [
        SHAKE.replace(b"Version: 13", b"Version: 12"),
        SHAKE.replace(b"Upgrade: websocket\r\n", b""),
        SHAKE.replace(b"Connection: Upgrade\r\n", b""),
        SHAKE.replace(b"Sec-WebSocket-Key", b"Key"),
        SHAKE.replace(b"GET", b"POST"),
        SHAKE.replace(b"HTTP/1.1", b"HTTP/1.0"),
        SHAKE + b"\x81\x80\0\0\0\0",
        SHAKE[:-2] + b"Content-Length: 0\r\n\r\n",
        SHAKE[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        SHAKE.replace(b"Host: x\r\n", b""),
        PLACE + SHAKE + b"\x81\x80\0\0\0\0",
    ],
)
async def test_odd_handshakes(at_both: Any, data: bytes) -> None:
    async def talk(running: Any) -> Any:
        wire = await running.connect()
        await wire.send(data)
        reply = await wire.reply()
        if reply.status == 101:
            told = {name: value.lower() for name, value in reply.headers.items()}
            return reply.status, told | {"date": ""}
        await wire.stream.send_eof()
        return reply.status, reply.body, responses(await wire.rest())

    front, behind = await at_both(talk)
    assert front == behind


@pytest.mark.parametrize("before", [b"", PLACE, request(b"GET /orders/o1", None)])
async def test_handshakes(at_both: Any, before: bytes, client_frame: Any) -> None:
    async def talk(running: Any) -> Any:
        wire = await running.connect()
        await wire.send(before + SHAKE)
        if before:
            await wire.reply()
        shaken = await wire.reply()
        await wire.send(client_frame(1, b'{"id":1,"op":"cancel","order_id":"o1"}'))
        told = await wire.told()
        await wire.send(client_frame(8, b"\x03\xe8"))
        headers = {n: v.lower() for n, v in shaken.headers.items() if n != "date"}
        return shaken.status, headers, told, await wire.closed()

    front, behind = await at_both(talk)
    assert front == behind


MESSAGES = [
    '{"id":1,"order_id":"w","client_id":"A","side":"buy","price":"100","quantity":"1"}',
    '{"id":"a","op":"place","client_id":"A","side":"buy","price":"200","quantity":"1"}',
    '{"id":1,"op":"cancel","order_id":"o1"}',
    '{"id":1,"op":"cancel","order_id":"o1","client_id":"B"}',
    '{"id":1,"op":"cancel","order_id":"zzz"}',
    '{"id":1,"op":"amend","order_id":"e1","price":"99.95"}',
    '{"id":1,"op":"amend","order_id":"e1","price":"99.99"}',
    '{"id":1,"op":"amend","order_id":"zzz","price":"99.99"}',
    '{"id":1,"op":"amend","order_id":"zzz","price":"99.99","idempotency_key":"new"}',
    '{"id":1,"op":"amend","order_id":"o1"}',
    '{"id":1,"op":"fly"}',
    '{"id":[1],"op":"cancel","order_id":"o1"}',
    '{"id":true,"op":"cancel","order_id":"o1"}',
    '{"op":"cancel","order_id":"o1"}',
    "{}",
    "",
    "[",
    "nonsense",
    "[" + ",".join(["{}"] * 1001) + "]",
    '[{"id":1,"op":"cancel","order_id":"o1"},{"id":2,"op":"cancel","order_id":"o1"},3]',
    '[{"id":1,"order_id":"w","client_id":"A","side":"buy","price":"100","quantity":"1",'
    '"instrument":"ETH-USD"},{"id":2,"op":"amend","order_id":"w","price":"99.95"}]',
    '{"id":1,"order_id":"o1","client_id":"A","side":"buy","price":"100","quantity":"1",'
    '"idempotency_key":"k"}',
    '{"id":1,"client_id":"A","side":"buy","price":"100","quantity":"1","idempotency_key":"k"}',
]


@pytest.mark.parametrize("text", MESSAGES)
async def test_messages(at_both: Any, text: str, client_frame: Any) -> None:
    """Until the one that is known to be the last."""

    async def talk(running: Any) -> Any:
        wire = await running.socket()
        await wire.send(client_frame(1, text.encode()))
        told = [await wire.told()]
        await wire.send(client_frame(1, b'{"id":"last","op":"cancel","order_id":"unheard-of"}'))
        while told[-1]["id"] != "last":
            told.append(await wire.told())
        return UUID.sub(b"<id>", json.dumps(told).encode())

    front, behind = await at_both(talk)
    assert front == behind


@pytest.mark.parametrize("frame", [(2, b"\xff"), (1, b"x" * 65_537), (8, b"\x03\xe8"), (8, b"")])
async def test_how_a_socket_is_closed(at_both: Any, frame: Any, client_frame: Any) -> None:
    async def talk(running: Any) -> Any:
        wire = await running.socket()
        await wire.send(client_frame(*frame))
        opcode, payload = await wire.message()
        return opcode, payload[:2]

    front, behind = await at_both(talk)
    assert front == behind


@pytest.mark.parametrize(
    ("opcode", "payload", "options", "code"),
    [(1, b"\xff", {}, 1007), (3, b"", {}, 1002), (1, b"{}", {"mask": None}, 1002)],
)
async def test_violations_close_at_both(
    at_both: Any, client_frame: Any, opcode: int, payload: bytes, options: Any, code: int
) -> None:
    """Hypercorn closes without a code where wsproto finds the violation."""

    async def talk(running: Any) -> Any:
        wire = await running.socket()
        await wire.send(client_frame(opcode, payload, **options))
        if running.front:
            return await wire.closed()
        await wire.rest()
        return None

    front, _behind = await at_both(talk)
    assert front[0] == code
