"""The rule: a command is asked with one key until it is answered, its numbers exact both ways."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio

from tradeclear.client.answer import Answer
from tradeclear.client.commands import Command
from tradeclear.client.errors import Disconnected, NotUnderstood, OutcomeUnknown, Refused
from tradeclear.client.order_entry import OrderEntry
from tradeclear.model.errors import InvalidField

from .conftest import HASTE, ORDER, problem


class Carrier:
    """Remembers what it carried; answers with `results`, the last for ever."""

    def __init__(self, *results: Answer | Exception) -> None:
        self.results = list(results)
        self.carried: list[Any] = []

    async def carry(self, command: Command, text: bytes) -> Answer:
        await trio.lowlevel.checkpoint()
        self.carried.append(json.loads(text))
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(result, Exception):
            raise result
        return result


DONE = Answer(201, json.dumps({"order": ORDER, "trades": []}).encode())


def entry(*results: Answer | Exception) -> tuple[OrderEntry, Carrier]:
    carrier = Carrier(*results)
    return OrderEntry("client-A", carrier, HASTE), carrier


async def test_place_says_what_was_meant() -> None:
    orders, carrier = entry(DONE)
    reply = await orders.place(
        "buy", Decimal("0.25"), Decimal("70150.5"), order_id="order-1", post_only=True
    )
    assert (reply.order.price, reply.order.quantity) == (Decimal("70150.5"), Decimal("0.25"))
    assert (reply.order.filled_quantity, reply.order.average_price) == (Decimal(0), None)
    assert reply.order.created_at.isoformat() == "2025-01-31T08:00:00.000001+00:00"
    assert not reply.replayed
    (sent,) = carrier.carried
    assert len(sent.pop("idempotency_key")) == 32
    assert sent == {
        "op": "place",
        "client_id": "client-A",
        "side": "buy",
        "quantity": 0.25,
        "price": 70150.5,
        "order_id": "order-1",
        "post_only": True,
    }


async def test_without_a_price_it_is_a_market_order() -> None:
    orders, carrier = entry(DONE)
    await orders.place("sell", 1)
    (sent,) = carrier.carried
    assert (sent["type"], "price" in sent) == ("market", False)


async def test_cancel_and_amend_name_the_client() -> None:
    orders, carrier = entry(DONE)
    assert (await orders.cancel("order-1", idempotency_key="k1")).order_id == "order-1"
    await orders.amend("order-1", quantity=Decimal("0.5"), idempotency_key="k2")
    assert carrier.carried == [
        {"op": "cancel", "order_id": "order-1", "client_id": "client-A", "idempotency_key": "k1"},
        {
            "op": "amend",
            "order_id": "order-1",
            "client_id": "client-A",
            "quantity": 0.5,
            "idempotency_key": "k2",
        },
    ]


async def test_one_key_for_all_tries(autojump_clock: object) -> None:
    replayed = msgspec.structs.replace(DONE, replayed=True)
    orders, carrier = entry(Disconnected("gone"), Disconnected("gone"), replayed)
    assert (await orders.place("buy", 1, 1)).replayed
    assert len(carrier.carried) == 3
    assert len({sent["idempotency_key"] for sent in carrier.carried}) == 1


async def test_two_orders_have_two_keys() -> None:
    orders, carrier = entry(DONE)
    await orders.place("buy", 1, 1)
    await orders.place("buy", 1, 1)
    assert len({sent["idempotency_key"] for sent in carrier.carried}) == 2


async def test_an_unknown_outcome_carries_the_key_to_ask_with(autojump_clock: object) -> None:
    orders, carrier = entry(Disconnected("gone"))
    with pytest.raises(OutcomeUnknown) as unknown:
        await orders.place("buy", 1, 1)
    assert unknown.value.idempotency_key == carrier.carried[0]["idempotency_key"]


async def test_a_refusal_carries_everything_that_was_said() -> None:
    told = problem(203, "order_closed", 409, order={**ORDER, "status": "filled", "closed": True})
    orders, _ = entry(Answer(409, json.dumps(told).encode()))
    with pytest.raises(Refused) as refused:
        await orders.cancel("order-1")
    error = refused.value
    assert (error.code, error.name, error.field, error.retry_after_s) == (
        203,
        "order_closed",
        None,
        None,
    )
    assert error.problem.order is not None
    assert error.problem.order.closed


@pytest.mark.parametrize(
    "arguments",
    [{"quantity": 0.5}, {"price": 0.5}, {"order_id": "x" * 2_000}],
)
async def test_what_cannot_be_sent_is_not(arguments: dict[str, Any]) -> None:
    orders, carrier = entry(DONE)
    with pytest.raises(InvalidField):
        await orders.place(**{"side": "buy", "quantity": 1, "price": 1, **arguments})
    assert carrier.carried == []


async def test_an_answer_of_another_kind() -> None:
    orders, _ = entry(Answer(201, b'{"order":{}}'))
    with pytest.raises(NotUnderstood):
        await orders.place("buy", 1, 1)
