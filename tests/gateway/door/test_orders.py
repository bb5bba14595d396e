"""The rule: a hot route answers once, in the words of the other door, and never raises."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from tradeclear.gateway.door.head import Head
from tradeclear.gateway.door.orders import HotOrders
from tradeclear.gateway.door.slot import Slot
from tradeclear.gateway.rate_limits import RateLimits, TokenBuckets, unlimited
from tradeclear.model.errors import Overloaded


class Pigeonhole:
    """A client that keeps what its slots are filled with."""

    address = "127.0.0.1"

    def __init__(self) -> None:
        self.slot: Any = Slot(self)  # type: ignore[arg-type]
        self.responses: list[bytes] = []
        self.arrived = trio.Event()
        self.hurried = False

    def filled(self) -> None:
        self.responses.append(self.slot.response)
        self.arrived.set()

    def hurry(self) -> None:
        self.hurried = True

    async def reply(self) -> tuple[int, dict[str, str], Any]:
        with trio.fail_after(5):
            await self.arrived.wait()
        await trio.testing.wait_all_tasks_blocked()
        [response] = self.responses
        head, _, body = response.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert int(headers["content-length"]) == len(body)
        return int(first.split()[1]), headers, json.loads(body)


class Counter:
    """Where the hot routes are asked for."""

    def __init__(self, house: Any, tasks: trio.Nursery) -> None:
        self.house = house
        self.tasks = tasks
        self.orders = HotOrders(house.exchange, unlimited(), house.metrics, tasks)

    def limit(self, **settings: Any) -> None:
        buckets = TokenBuckets(**{"rate_per_s": 1, "burst": 2, "clock": lambda: 0.0, **settings})
        off = TokenBuckets(rate_per_s=0, burst=0, clock=lambda: 0.0)
        limits = RateLimits(client=buckets, address=off)
        self.orders = HotOrders(self.house.exchange, limits, self.house.metrics, self.tasks)

    def ask(self, head: Head, body: bytes = b"") -> Pigeonhole:
        client = Pigeonhole()
        self.orders.begin(client.slot, head, body)
        return client


@pytest.fixture
async def counter(house: Any) -> AsyncIterator[Counter]:
    async with trio.open_nursery() as nursery:
        yield Counter(house, nursery)


PLACE = Head("place", 0)


def body(**changes: Any) -> bytes:
    order = {"client_id": "A", "order_id": "o", "side": "buy", "price": 1, "quantity": 1, **changes}
    return json.dumps(order).encode()


async def test_placing(counter: Any) -> None:
    status, headers, told = await counter.ask(PLACE, body()).reply()
    assert (status, told["order"]["status"]) == (201, "open")
    assert set(headers) == {"content-type", "content-length", "date"}
    assert headers["content-type"] == "application/json"
    assert counter.house.metrics.requests["POST /orders", 201] == 1


async def test_every_hot_route(counter: Any) -> None:
    for order_id in "abc":
        await counter.ask(PLACE, body(order_id=order_id)).reply()
    amended = counter.ask(Head("amend", 0, "a"), b'{"price":2}')
    assert (await amended.reply())[2]["order"]["price"] == 2
    assert amended.hurried, "no commit follows"
    cancelled = await counter.ask(Head("cancel", 0, "a")).reply()
    assert cancelled[2]["order"]["status"] == "cancelled"
    assert (await counter.ask(Head("delete", 0, "b")).reply())[0] == 200
    batch = counter.ask(Head("batch", 0), b'[{"op":"cancel","order_id":"c"}]')
    assert (await batch.reply())[2]["results"][0]["status"] == 200
    counted = counter.house.metrics.requests
    assert counted["PATCH /orders/{order_id}", 200] == 1
    assert counted["POST /orders/{order_id}/cancel", 200] == 1
    assert counted["DELETE /orders/{order_id}", 200] == 1
    assert counted["POST /orders/batch", 200] == 1


async def test_a_repeated_key(counter: Any) -> None:
    head = Head("place", 0, key="k")
    first = await counter.ask(head, body()).reply()
    again = await counter.ask(head, body()).reply()
    assert again[2] == first[2]
    assert again[1]["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    ("head", "data", "status", "name"),
    [
        (PLACE, b"{", 400, "malformed_body"),
        (PLACE, b"{}", 400, "invalid_field"),
        (Head("place", 0, key="a b"), body(), 400, "invalid_field"),
        (Head("cancel", 0, "o"), b"{", 400, "malformed_body"),
        (Head("cancel", 0, "o"), b"", 404, "unknown_order"),
        (Head("amend", 0, "o"), b"", 400, "malformed_body"),
        (Head("amend", 0, "o"), b'{"price":1}', 404, "unknown_order"),
        (Head("batch", 0), b"{}", 400, "invalid_field"),
    ],
)
async def test_refusals(counter: Any, head: Head, data: bytes, status: int, name: str) -> None:
    told = await counter.ask(head, data).reply()
    assert (told[0], told[2]["name"]) == (status, name)
    assert told[1]["content-type"] == "application/problem+json"


async def test_a_client_s_tokens(counter: Any) -> None:
    counter.limit()
    told = [await counter.ask(PLACE, body(order_id=str(n))).reply() for n in range(3)]
    assert [one[0] for one in told] == [201, 201, 429]
    assert [one[1]["ratelimit-remaining"] for one in told] == ["1", "0", "0"]
    assert {one[1]["ratelimit-limit"] for one in told} == {"2"}
    assert told[2][1]["retry-after"] == "1"


async def test_a_reused_key_tells_no_tokens(counter: Any) -> None:
    """Found: the other door does not either."""
    counter.limit()
    head = Head("place", 0, key="k")
    await counter.ask(head, body()).reply()
    status, headers, _told = await counter.ask(head, body(order_id="p")).reply()
    assert status == 422
    assert "ratelimit-limit" not in headers


async def test_nothing_is_answered_before_it_is_durable(counter: Any, hold: Any) -> None:
    client = counter.ask(PLACE, body())
    await trio.testing.wait_all_tasks_blocked()
    assert client.responses == []
    hold.release()
    assert (await client.reply())[0] == 201


@pytest.mark.parametrize("head", [PLACE, Head("cancel", 0, "o"), Head("amend", 0, "o")])
async def test_a_full_exchange(counter: Any, head: Head, monkeypatch: Any) -> None:
    def full(*command: Any) -> None:
        raise Overloaded(2.5)

    await counter.ask(PLACE, body()).reply()
    monkeypatch.setattr(counter.house.partition, "submit_nowait", full)
    data = b'{"price":2}' if head.route == "amend" else b"" if head.order_id else body()
    status, headers, told = await counter.ask(head, data).reply()
    assert (status, told["name"], headers["retry-after"]) == (503, "overloaded", "3")


@pytest.mark.parametrize("head", [PLACE, Head("amend", 0, "o"), Head("batch", 0)])
async def test_a_fault_of_ours_is_a_problem_too(
    counter: Any, head: Head, monkeypatch: Any, capsys: Any
) -> None:
    def broken(*command: Any) -> None:
        raise ZeroDivisionError

    await counter.ask(PLACE, body()).reply()
    monkeypatch.setattr(counter.house.partition, "submit_nowait", broken)
    data = {"place": body(), "amend": b'{"price":2}', "batch": b"[%b]" % body()}[head.route]
    status, _headers, told = await counter.ask(head, data).reply()
    assert (status, told["name"]) == (503, "internal_error")
    assert capsys.readouterr().out.count("request_failed") == 1


async def test_a_fault_in_an_answer_stops_no_commit(
    counter: Any, monkeypatch: Any, capsys: Any
) -> None:
    """Found: it went through the gate into the flusher, and ended the exchange."""

    def broken(*told: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("tradeclear.gateway.door.orders.answer", broken)
        status, _headers, told = await counter.ask(PLACE, body()).reply()
    assert (status, told["name"]) == (503, "internal_error")
    assert capsys.readouterr().out.count("request_failed") == 1
    assert (await counter.ask(PLACE, body(order_id="p")).reply())[0] == 201


async def test_a_client_that_is_gone_is_told_nothing(counter: Any, hold: Any) -> None:
    counter.ask(PLACE, body())
    hold.release()
    await counter.house.partition.gate.wait_durable(2)
    assert counter.house.engine.orders.open_count == 1


async def test_what_is_said_to_those_who_waited_in_vain(counter: Any) -> None:
    late = counter.orders.too_slow("head", 2.5)
    assert late.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"\r\nconnection: close\r\n" in late
    assert b"the head must be there within 2.5 s" in late
    unknown = counter.orders.outcome_unknown()
    assert unknown.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in unknown
    assert b'"name":"outcome_unknown"' in unknown
