"""The rule: a subscriber can't tell which door it came through."""

import json
from decimal import Decimal
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed

ALL = ("orderbook_deltas", "trades", "orders")


async def test_snapshot_then_updates(door: Any) -> None:
    await door.house.place("1", 100)
    async with door.socket() as listener:
        told = await listener.subscribe(*ALL, client_id="A", id="x")
        assert [m["type"] for m in told] == ["subscribed", "snapshot", "snapshot", "live"]
        assert (told[0]["id"], told[0]["resume"], told[0]["sequence"]) == ("x", "none", 2)
        assert told[1]["bids"] == [[1, 0.00001, 1]]
        sequence = await door.house.place("2", 100, 2, client_id="B", side="sell")
        updates = [await listener.next() for _ in range(3)]
        assert [m["channel"] for m in updates] == list(ALL)
        assert {m["sequence"] for m in updates} == {sequence}
        assert updates[2]["events"][0]["event"] == "traded"


async def test_resume_without_a_gap(door: Any) -> None:
    async with door.socket() as listener:
        await listener.subscribe("orderbook_deltas")
        position = await door.house.place("1", 100)
        assert (await listener.next())["sequence"] == position
    missed = [await door.house.place(str(number), 100) for number in range(2, 5)]
    async with door.socket() as listener:
        told = await listener.subscribe("orderbook_deltas", from_sequence=position)
        assert told[0]["resume"] == "replayed"
        assert [m["sequence"] for m in told[1:-1]] == missed
        assert [m["previous_sequence"] for m in told[1:-1]] == [position, *missed[:-1]]


@pytest.mark.parametrize("since", [10**6, 2**63 - 1])
async def test_ahead(door: Any, since: int) -> None:
    async with door.socket() as listener:
        told = await listener.subscribe("orderbook_deltas", from_sequence=since)
        assert [m["type"] for m in told] == ["subscribed", "snapshot", "live"]
        assert told[0]["resume"] == "ahead"


async def test_orders_reach_only_their_client(door: Any) -> None:
    async with door.socket() as mine, door.socket() as other:
        await mine.subscribe("orders", client_id="A")
        await other.subscribe("orders", client_id="B")
        await door.house.place("1", 100)
        assert (await mine.next())["client_id"] == "A"
        await door.house.place("2", 100, client_id="B")
        told = await other.next()
        assert (told["client_id"], len(told["events"])) == ("B", 1)
        assert told["events"][0]["order"]["order_id"] == "2"


async def test_several_instruments_list_and_unsubscribe(door: Any) -> None:
    async with door.socket() as listener:
        await listener.subscribe("orderbook_deltas", "trades")
        await listener.subscribe("orderbook_deltas", instrument="ETH-USD", interval_ms=100)
        await listener.subscribe("orders", client_id="A")
        listed = await listener.ask(op="list", id=1)
        assert listed == {
            "type": "subscriptions",
            "id": 1,
            "subscriptions": [
                {"channel": "orderbook_deltas", "instrument": "BTC-USD", "state": "live"},
                {"channel": "trades", "instrument": "BTC-USD", "state": "live"},
                {
                    "channel": "orderbook_deltas",
                    "instrument": "ETH-USD",
                    "interval_ms": 100,
                    "state": "live",
                },
                {
                    "channel": "orders",
                    "instrument": "BTC-USD",
                    "client_id": "A",
                    "state": "live",
                },
            ],
        }
        gone = await listener.ask(op="unsubscribe", channels=["orderbook_deltas"])
        assert [one["instrument"] for one in gone["subscriptions"]] == ["BTC-USD", "ETH-USD"]
        gone = await listener.ask(op="unsubscribe", client_id="A")
        assert [one["channel"] for one in gone["subscriptions"]] == ["orders"]
        await door.house.place("1", 100)
        await door.house.place("2", 100, side="sell")
        assert (await listener.next())["channel"] == "trades"
        gone = await listener.ask(op="unsubscribe")
        assert len(gone["subscriptions"]) == 1
        assert (await listener.ask(op="list"))["subscriptions"] == []


async def test_subscribing_again_begins_anew(door: Any) -> None:
    async with door.socket() as listener:
        await listener.subscribe("orderbook_deltas")
        await door.house.place("1", 100)
        await listener.next()
        told = await listener.subscribe("orderbook_deltas", interval_ms=50)
        assert [m["type"] for m in told] == ["subscribed", "snapshot", "live"]
        await door.house.place("2", 100)
        update = await listener.next()
        assert (update["interval_ms"], update["previous_sequence"]) == (50, told[-1]["sequence"])
        assert len((await listener.ask(op="list"))["subscriptions"]) == 1


REFUSED: list[tuple[Any, str, str | None]] = [
    ("", "malformed_body", None),
    ("[]", "malformed_body", None),
    ("{", "malformed_body", None),
    ("{}", "invalid_field", "op"),
    ({"op": "dance"}, "invalid_field", "op"),
    ({"op": "list", "extra": 1}, "invalid_field", "extra"),
    ({"op": "list", "id": "x" * 65}, "invalid_field", "id"),
    ({"op": "list", "id": 1.5}, "invalid_field", "id"),
    ({"op": "subscribe"}, "invalid_field", "channels"),
    ({"op": "subscribe", "channels": []}, "invalid_field", "channels"),
    ({"op": "subscribe", "channels": ["depth"]}, "invalid_field", "channels"),
    ({"op": "subscribe", "channels": ["trades"], "instrument": "X"}, "invalid_field", "instrument"),
    ({"op": "subscribe", "channels": ["orders"]}, "invalid_field", "client_id"),
    ({"op": "subscribe", "channels": ["trades"], "client_id": "A"}, "invalid_field", "client_id"),
    (
        {"op": "subscribe", "channels": ["orders"], "client_id": 'A"'},
        "invalid_field",
        "client_id",
    ),
    (
        {"op": "subscribe", "channels": ["trades"], "from_sequence": -1},
        "invalid_field",
        "from_sequence",
    ),
    (
        {"op": "subscribe", "channels": ["trades"], "from_sequence": 2**70},
        "invalid_field",
        "from_sequence",
    ),
    (
        {"op": "subscribe", "channels": ["trades"], "interval_ms": 100},
        "invalid_field",
        "interval_ms",
    ),
    (
        {"op": "subscribe", "channels": ["orderbook_deltas"], "interval_ms": 33},
        "invalid_field",
        "interval_ms",
    ),
    ({"op": "unsubscribe", "from_sequence": 1}, "invalid_field", "from_sequence"),
]


async def test_refusals(door: Any) -> None:
    async with door.socket() as listener:
        for message, name, field in REFUSED:
            text = message if isinstance(message, str) else json.dumps(message)
            await listener.socket.send_message(text)
            told = await listener.next()
            assert told["type"] == "error", message
            assert (told["problem"]["name"], told["problem"].get("field")) == (name, field)
        assert (await listener.ask(op="list", id=2))["id"] == 2, "the connection goes on"


async def test_a_refusal_names_the_request(door: Any) -> None:
    async with door.socket() as listener:
        assert (await listener.ask(op="dance", id=7))["id"] == 7
        assert (await listener.ask(op="subscribe", id="a", channels=1))["id"] == "a"


async def test_too_many_subscriptions(open_house: Any, serve_house: Any) -> None:
    async with open_house(subscriptions_max=2) as house:
        for front in (True, False):
            async with serve_house(house, front=front) as door, door.socket() as listener:
                await listener.subscribe("orderbook_deltas", "trades")
                (told,) = await listener.subscribe("orders", client_id="A")
                assert told["problem"]["code"] == 1019
                assert (await listener.subscribe("trades"))[-1]["type"] == "live"
            house.streams._closed = False  # the door's end has closed them


async def test_too_many_connections(open_house: Any, serve_house: Any) -> None:
    async with open_house(connections_max=1) as house:
        for front in (True, False):
            async with serve_house(house, front=front) as door, door.socket() as listener:
                await listener.subscribe("trades")
                async with door.socket() as other:
                    with pytest.raises(ConnectionClosed) as closed:
                        await other.next()
                assert closed.value.reason.code == 1013
            with trio.fail_after(5):
                while house.streams.connections:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            house.streams._closed = False


async def test_the_exchange_stops(door: Any) -> None:
    async with door.socket() as listener:
        await listener.subscribe("trades")
        door.house.streams.close()
        with pytest.raises(ConnectionClosed) as closed:
            await listener.next()
        assert closed.value.reason.code == 1001


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xff", 1007),
        (b"x" * 65_537, 1009),
    ],
)
async def test_messages_that_are_none(door: Any, data: bytes, code: int) -> None:
    async with door.socket() as listener:
        await listener.socket.send_message(data)
        with pytest.raises(ConnectionClosed) as closed:
            await listener.next()
        assert closed.value.reason.code == code


async def test_numbers_are_exact(door: Any) -> None:
    async with door.socket() as listener:
        await listener.subscribe("orderbook_deltas")
        await door.house.place("1", 999_999_999, 123_456_789)
        text = await listener.socket.get_message()
        told = json.loads(text, parse_float=Decimal)
        assert told["bids"] == [[Decimal("9999999.99"), Decimal("1234.56789"), 1]]


async def test_gone_subscribers_leave_nothing_behind(door: Any, until: Any) -> None:
    for _ in range(3):
        async with door.socket() as listener:
            await listener.subscribe(*ALL, client_id="A")
    await until(lambda: not door.house.streams.connections)
    assert door.house.streams.subscriptions == 0
