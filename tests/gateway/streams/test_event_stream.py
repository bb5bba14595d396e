"""The rule: Server-Sent Events as WHATWG has them, and nothing is lost over a reconnect."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from tradeclear.gateway.app import create_app
from tradeclear.gateway.streams import event_stream
from tradeclear.gateway.streams.streams import Streams

PATIENCE_S = 10


class Reader:
    """What a browser's EventSource does."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.raw = b""
        self.data = b""
        self.last_id: int | None = None
        self.comments = 0

    async def head(self) -> bytes:
        return await self._until(b"\r\n\r\n")

    async def event(self) -> Any:
        """The next event's data."""
        while True:
            while b"\n\n" not in self.data:
                await self._more()
            event, _, self.data = self.data.partition(b"\n\n")
            told = None
            for line in event.split(b"\n"):
                if line.startswith(b"id: "):
                    self.last_id = int(line[4:])
                elif line.startswith(b"data: "):
                    told = json.loads(line[6:])
                elif line.startswith(b":"):
                    self.comments += 1
            if told is not None:
                return told

    async def until_live(self) -> list[Any]:
        told = [await self.event()]
        while told[-1]["type"] != "live":
            told.append(await self.event())
        return told

    async def _more(self) -> None:
        """One more chunk."""
        size = int(await self._until(b"\r\n"), 16)
        assert size, "the server ended the response"
        while len(self.raw) < size + 2:
            await self._receive()
        self.data += self.raw[:size]
        self.raw = self.raw[size + 2 :]

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self.raw:
            await self._receive()
        before, _, self.raw = self.raw.partition(mark)
        return before

    async def _receive(self) -> None:
        with trio.fail_after(PATIENCE_S):
            more = await self.stream.receive_some(65_536)
        assert more, f"the server closed after {self.raw!r}"
        self.raw += more


@asynccontextmanager
async def reading(door: Any, query: str = "", last_id: int | None = None) -> AsyncIterator[Reader]:
    stream = await trio.open_tcp_stream("127.0.0.1", door.port)
    async with stream:
        header = "" if last_id is None else f"Last-Event-ID: {last_id}\r\n"
        request = f"GET /events{query} HTTP/1.1\r\nHost: x\r\n{header}\r\n"
        await stream.send_all(request.encode())
        yield Reader(stream)


async def curl(door: Any, query: str = "", method: str = "GET", *more: str) -> Any:
    done = await trio.run_process(
        ["curl", "-sNi", "--max-time", "0.5", "-X", method, *more, f"{door.url}/events{query}"],
        capture_stdout=True,
        check=False,
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    return head.decode().lower(), body


def events(body: bytes) -> list[tuple[int | None, Any]]:
    """(id, data) of each event."""
    found = []
    for block in body.split(b"\n\n"):
        number = told = None
        for line in block.split(b"\n"):
            if line.startswith(b"id: "):
                number = int(line[4:])
            elif line.startswith(b"data: "):
                told = json.loads(line[6:])
        if told is not None:
            found.append((number, told))
    return found


async def test_from_a_snapshot(door: Any) -> None:
    await door.house.place("1", 100)
    head, body = await curl(door)
    assert "200" in head.splitlines()[0]
    assert "content-type: text/event-stream" in head
    assert "cache-control: no-store" in head
    assert body.startswith(b"retry: 1000\n\n")
    told = events(body)
    assert [(number, m["type"]) for number, m in told] == [
        (None, "subscribed"),
        (None, "snapshot"),
        (2, "live"),
    ]
    assert told[0][1]["channels"] == ["orderbook_deltas", "trades"]


async def test_last_event_id_goes_on_there(door: Any) -> None:
    await door.house.place("1", 100)
    await door.house.place("2", 100, side="sell")
    await door.house.place("3", 100)
    for given in (["-H", "Last-Event-ID: 2"], []):
        query = "" if given else "?from_sequence=2"
        _head, body = await curl(door, query, "GET", *given)
        told = events(body)
        assert told[0][1]["resume"] == "replayed"
        assert [(number, m.get("channel")) for number, m in told[1:]] == [
            (None, "orderbook_deltas"),
            (3, "trades"),
            (4, "orderbook_deltas"),
            (4, None),
        ]


async def test_the_header_goes_before_the_query(door: Any) -> None:
    last = await door.house.place("1", 100)
    _head, body = await curl(door, "?from_sequence=0", "GET", "-H", f"Last-Event-ID: {last}")
    assert events(body)[0][1]["sequence"] == last


async def test_an_id_that_is_none_of_ours_begins_anew(door: Any) -> None:
    _head, body = await curl(door, "", "GET", "-H", "Last-Event-ID: hello")
    assert events(body)[0][1]["resume"] == "none"


async def test_updates_come_as_they_happen(front_door: Any) -> None:
    async with reading(front_door, "?channels=orders,trades&client_id=A") as reader:
        assert b"200" in await reader.head()
        await reader.until_live()
        first = await front_door.house.place("1", 100)
        assert (await reader.event())["channel"] == "orders"
        assert reader.last_id == first
        second = await front_door.house.place("2", 100, client_id="B", side="sell")
        assert (await reader.event())["channel"] == "trades"
        assert reader.last_id == first, "half a command is not all of it"
        assert (await reader.event())["channel"] == "orders"
        assert reader.last_id == second


async def test_several_instruments(door: Any) -> None:
    await door.house.place("1", 100)
    await door.house.place("2", 100, 100, instrument="ETH-USD")
    query = "?channels=orderbook_deltas&instrument=BTC-USD,ETH-USD&from_sequence=1"
    _head, body = await curl(door, query)
    told = events(body)
    assert [(number, m["type"], m["instrument"]) for number, m in told] == [
        (None, "subscribed", "BTC-USD"),
        (None, "subscribed", "ETH-USD"),
        (2, "update", "BTC-USD"),
        (3, "update", "ETH-USD"),
        (None, "live", "BTC-USD"),
        (3, "live", "ETH-USD"),
    ]


async def test_conflated(front_door: Any) -> None:
    async with reading(front_door, "?interval_ms=50") as reader:
        await reader.head()
        await reader.until_live()
        await front_door.house.place("1", 100)
        last = await front_door.house.place("2", 100, side="sell")
        told = [await reader.event(), await reader.event()]
        assert sorted(m["channel"] for m in told) == ["orderbook_deltas", "trades"]
        assert reader.last_id == last
        assert told[1]["interval_ms"] == 50


async def test_silence_is_filled_with_comments(
    front_door: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.05)
    async with reading(front_door) as reader:
        await reader.head()
        await reader.until_live()
        with trio.fail_after(PATIENCE_S):
            while b": still here" not in reader.data:
                await reader._more()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?channels=depth", "channels"),
        ("?channels=orders", "client_id"),
        ("?instrument=X", "instrument"),
        ("?interval_ms=33", "interval_ms"),
        ("?from_sequence=-1", "from_sequence"),
        ("?unknown=1", "unknown"),
    ],
)
async def test_refusals(door: Any, query: str, field: str) -> None:
    head, body = await curl(door, query)
    assert "400" in head.splitlines()[0]
    assert json.loads(body)["field"] == field


async def test_only_get(door: Any) -> None:
    head, _body = await curl(door, "", "POST")
    assert "405" in head.splitlines()[0]
    assert "allow: get" in head


async def test_too_many(open_house: Any, serve_house: Any, make_ear: Any) -> None:
    async with open_house(connections_max=1) as house, serve_house(house, front=True) as door:
        assert house.streams.enter(make_ear())
        head, body = await curl(door)
        assert "503" in head.splitlines()[0]
        assert json.loads(body)["name"] == "overloaded"


async def test_the_end_is_told(front_door: Any) -> None:
    async with reading(front_door) as reader:
        await reader.head()
        await reader.until_live()
        streams: Streams = front_door.house.streams
        streams.close()
        assert (await reader.event())["code"] == 1001


async def test_it_is_described(house: Any) -> None:
    app = create_app(house.exchange, house.metrics, streams=house.streams)
    reply = await app.test_client().get("/openapi.json")
    told = json.loads(await reply.get_data())["paths"]["/events"]["get"]
    names = [parameter["name"] for parameter in told["parameters"]]
    assert names == ["channels", "instrument", "client_id", "interval_ms", "from_sequence"]
