"""The rule: every command is answered exactly once, by its own id, and nothing here raises."""

import json
from typing import Any

import pytest
import trio

from tradeclear.gateway.order_messages import ELEMENTS_MAX, OrderMessages
from tradeclear.gateway.rate_limits import RateLimits, TokenBuckets, unlimited
from tradeclear.model.errors import Overloaded


class Sender:
    """Begins commands one by one; `told` is what came back."""

    def __init__(self, house: Any, limits: RateLimits) -> None:
        self.house = house
        self.messages = OrderMessages(house.exchange, limits, house.metrics)
        self.told: list[Any] = []

    def begin(self, text: str | bytes, alone: bool = True) -> Any:
        data = text.encode() if isinstance(text, str) else text
        return self.messages.begin(data, "127.0.0.1", self.tell, alone=alone)

    def tell(self, text: bytes) -> None:
        self.told.append(json.loads(text))

    async def answer(self, text: str | bytes) -> Any:
        """The one answer to one command."""
        before = len(self.told)
        assert self.begin(text) is None
        with trio.fail_after(5):
            while len(self.told) == before:
                await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        assert len(self.told) == before + 1
        return self.told[-1]


@pytest.fixture
def sender(house: Any) -> Sender:
    return Sender(house, unlimited())


def place(number: Any = 1, **changes: Any) -> str:
    order = {"id": number, "client_id": "A", "side": "buy", "price": "100", "quantity": "1"}
    return json.dumps({**order, **changes})


async def test_place_cancel_amend(sender: Any) -> None:
    placed = await sender.answer(place(1, order_id="o"))
    assert (placed["id"], placed["status"], placed["trades"]) == (1, 201, [])
    amended = await sender.answer('{"id":"two","op":"amend","order_id":"o","price":"101"}')
    assert (amended["id"], amended["status"], amended["order"]["price"]) == ("two", 200, 101)
    cancelled = await sender.answer('{"id":3.5,"op":"cancel","order_id":"o"}')
    assert (cancelled["id"], cancelled["order"]["status"]) == (3.5, "cancelled")
    again = await sender.answer('{"id":-4,"op":"cancel","order_id":"o"}')
    assert (again["id"], again["status"], again["name"]) == (-4, 409, "order_closed")
    assert again["order"]["order_id"] == "o"
    assert sender.house.metrics.requests["WS /ws/orders", 201] == 1


async def test_a_repeated_key(sender: Any) -> None:
    first = await sender.answer(place(1, order_id="o", idempotency_key="k"))
    again = await sender.answer(place(2, order_id="o", idempotency_key="k"))
    assert "replayed" not in first
    assert again == {**first, "id": 2, "replayed": True}
    other = await sender.answer(place(3, order_id="p", idempotency_key="k"))
    assert (other["id"], other["name"]) == (3, "key_reused")


@pytest.mark.parametrize(
    ("text", "number", "name"),
    [
        ("", None, "malformed_body"),
        ("nonsense", None, "malformed_body"),
        ("7", None, "malformed_body"),
        ("{}", None, "invalid_field"),
        ('{"id":7}', 7, "invalid_field"),
        ('{"id":"x","op":"fly"}', "x", "invalid_field"),
        ('{"id":7,"op":["place"]}', 7, "invalid_field"),
        ('{"id":7,"op":"cancel"}', 7, "invalid_field"),
        ('{"id":7,"op":"cancel","order_id":"a b"}', 7, "invalid_field"),
        ('{"id":7,"op":"amend","order_id":"o"}', 7, "unknown_order"),
        ('{"id":7,"o\\u0070":"cancel","order_id":"o"}', 7, "unknown_order"),
        ('{"id":[],"op":"cancel","order_id":"o"}', None, "malformed_body"),
        ('{"id":{},"op":"cancel","order_id":"o"}', None, "malformed_body"),
        ('{"id":true,"op":"cancel","order_id":"o"}', None, "malformed_body"),
        ('{"id":"%s","op":"cancel","order_id":"o"}' % ("x" * 63), None, "malformed_body"),
        ('{"id":"%s","op":"cancel","order_id":"o"}' % ("x" * 62), "x" * 62, "unknown_order"),
        ('{"id":"\\u00e9\\n\\"","op":"cancel","order_id":"o"}', 'é\n"', "unknown_order"),
        ('{"id":null,"op":"cancel","order_id":"o"}', None, "unknown_order"),
        ('{"id":1e999,"op":"cancel","order_id":"o"}', float("inf"), "unknown_order"),
        ('{"id":7,' + '"a":' + "[" * 50_000, None, "invalid_field"),
        (place(7, instrument="OLD-USD"), 7, "invalid_field"),
        (place(7, price="1e999999999"), 7, "invalid_field"),
    ],
)
async def test_refusals_carry_the_id(sender: Any, text: str, number: Any, name: str) -> None:
    told = await sender.answer(text)
    assert (told["id"], told["name"]) == (number, name)


# Amends need the order's instrument


async def test_an_amend_that_comes_too_early_waits(sender: Any) -> None:
    """Found: its price was counted in another instrument's ticks."""
    assert sender.begin(place(1, order_id="o", instrument="ETH-USD")) is None
    later = sender.begin('{"id":2,"op":"amend","order_id":"o","price":"101.05"}', alone=False)
    assert later is not None
    with trio.fail_after(5):
        while not sender.told:
            await trio.lowlevel.checkpoint()
    later()
    with trio.fail_after(5):
        while len(sender.told) < 2:
            await trio.lowlevel.checkpoint()
    assert sender.told[1]["order"]["price"] == 101.05


async def test_an_amend_of_a_known_order_does_not_wait(sender: Any) -> None:
    await sender.answer(place(1, order_id="o"))
    text = '{"id":2,"op":"amend","order_id":"o","price":"101"}'
    assert sender.begin(text, alone=False) is None


async def test_an_amend_of_an_unknown_order_takes_no_effect_ever(sender: Any, house: Any) -> None:
    """Another connection may place an order of that id at the same moment."""
    submitted: list[Any] = []
    house.partition.submit_nowait = lambda *command: submitted.append(command)
    for key in ("", ',"idempotency_key":"k"'):
        assert sender.begin('{"op":"amend","order_id":"o","price":"1"' + key + "}") is None
    assert [told["name"] for told in sender.told] == ["unknown_order"] * 2
    assert submitted == []


async def test_a_repeated_amend_of_a_forgotten_order(sender: Any, house: Any) -> None:
    amend = '{"id":2,"op":"amend","order_id":"o","price":"101","idempotency_key":"k"}'
    await sender.answer(place(1, order_id="o"))
    first = await sender.answer(amend)
    await sender.answer('{"id":3,"op":"cancel","order_id":"o"}')
    del house.engine.orders.by_id["o"]
    again = await sender.answer(amend)
    assert again == {**first, "replayed": True}


# Arrays


def split(sender: Any, text: bytes) -> Any:
    return sender.messages.split(text, "127.0.0.1", sender.tell)


async def test_an_array_is_its_elements(sender: Any) -> None:
    assert split(sender, b' [ {"a": 1} ,2,"x" ] ') == [b'{"a": 1}', b"2", b'"x"']
    assert split(sender, b"[]") == []
    assert len(split(sender, b"[" + b"1," * (ELEMENTS_MAX - 1) + b"1]")) == ELEMENTS_MAX
    assert sender.told == []


@pytest.mark.parametrize("text", [b"[", b"[}", b"[1", b"[" * 100_000, b"[1]x"])
async def test_what_is_no_array(sender: Any, text: bytes) -> None:
    assert split(sender, text) is None
    assert [(told["id"], told["name"]) for told in sender.told] == [(None, "malformed_body")]


async def test_an_array_too_long(sender: Any) -> None:
    assert split(sender, b"[" + b"1," * ELEMENTS_MAX + b"1]") is None
    assert [(told["id"], told["name"]) for told in sender.told] == [(None, "invalid_field")]


# Limits and faults


def limited(house: Any, *, client: int = 1000, address: int = 1000) -> Sender:
    def buckets(burst: int) -> TokenBuckets:
        return TokenBuckets(rate_per_s=1, burst=burst, clock=lambda: 0.0)

    return Sender(house, RateLimits(client=buckets(client), address=buckets(address)))


async def test_what_can_t_be_read_is_paid_for_too(house: Any) -> None:
    """Found: nonsense was free."""
    sender = limited(house, address=4)
    for text in ("nonsense", "{}", place(1)):
        await sender.answer(text)
    assert split(sender, b"[") is None
    assert split(sender, b"[") is None
    await sender.answer(place(2))
    assert [told["name"] for told in sender.told[3:]] == [
        "malformed_body",
        "rate_limited",
        "rate_limited",
    ]


async def test_a_client_s_tokens(house: Any) -> None:
    sender = limited(house, client=1)
    assert (await sender.answer(place(1)))["status"] == 201
    told = await sender.answer(place(2))
    assert (told["id"], told["name"], told["retry_after_s"]) == (2, "rate_limited", 1)
    assert (await sender.answer(place(3, client_id="B")))["status"] == 201


async def test_a_full_exchange(sender: Any, house: Any) -> None:
    def full(*command: Any) -> None:
        raise Overloaded

    house.partition.submit_nowait = full
    assert (await sender.answer(place(1)))["name"] == "overloaded"


async def test_a_fault_of_ours(sender: Any, house: Any, capsys: Any) -> None:
    def broken(*command: Any) -> None:
        raise ZeroDivisionError

    house.partition.submit_nowait = broken
    told = await sender.answer(place(1))
    assert (told["id"], told["name"]) == (1, "internal_error")
    assert capsys.readouterr().out.count("request_failed") == 1


async def test_a_fault_in_an_answer_stops_no_commit(
    sender: Any, monkeypatch: Any, capsys: Any
) -> None:
    """Found: it went through the gate into the flusher, and ended the exchange."""

    def broken(*told: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("tradeclear.gateway.order_messages.answer", broken)
        told = await sender.answer(place(1))
    assert (told["id"], told["name"]) == (1, "internal_error")
    assert capsys.readouterr().out.count("request_failed") == 1
    assert (await sender.answer(place(2)))["status"] == 201


async def test_a_refusal_waits_for_what_it_rests_on(sender: Any, hold: Any) -> None:
    assert sender.begin(place(1, order_id="o")) is None
    await trio.testing.wait_all_tasks_blocked()
    assert sender.begin('{"id":2,"op":"amend","order_id":"o","price":"0.001"}') is None
    await trio.testing.wait_all_tasks_blocked()
    assert sender.told == []
    hold.release()
    with trio.fail_after(5):
        while len(sender.told) < 2:
            await trio.lowlevel.checkpoint()
    assert [told["id"] for told in sender.told] == [1, 2]
