"""The rule: order entry over a WebSocket is the same where the front door is off."""

import json
from typing import Any

import pytest
import trio

from tradeclear.gateway import order_socket
from tradeclear.gateway.order_session import UNDER_WAY_MAX


@pytest.fixture
async def behind(start_door: Any) -> Any:
    return await start_door(front=False)


@pytest.fixture
def text(client_frame: Any) -> Any:
    """A frame that places orders, with the ids given."""

    def make(*ids: str) -> bytes:
        orders = [
            {"id": one, "order_id": one, "client_id": "A", "side": "buy", "price": 1, "quantity": 1}
            for one in ids
        ]
        return bytes(client_frame(1, json.dumps(orders).encode()))

    return make


async def test_many_commands_keep_their_order(behind: Any, text: Any) -> None:
    wire = await behind.socket()
    names = [str(number) for number in range(1500)]
    for at in range(0, 1500, 500):
        await wire.send(text(*names[at : at + 500]))
    assert [(await wire.told())["id"] for _ in names] == names


async def test_so_many_are_under_way_and_no_more(
    behind: Any, text: Any, hold: Any, house: Any
) -> None:
    wire = await behind.socket()
    names = [str(number) for number in range(UNDER_WAY_MAX + 1000)]
    messages = [text(*names[at : at + 500]) for at in range(0, len(names), 500)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.send, b"".join(messages))
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert house.engine.orders.open_count == UNDER_WAY_MAX
        hold.release()
        told = [(await wire.told())["id"] for _ in names]
    assert sorted(told) == sorted(names)


async def test_a_client_that_reads_nothing_is_not_read_from(
    behind: Any, client_frame: Any, house: Any
) -> None:
    wire = await behind.socket()
    refused = client_frame(1, b"[" + b"{}," * 900 + b"{}]")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.pour, refused * 200)
        await trio.testing.wait_all_tasks_blocked(0.1)
        refusals = house.metrics.requests["WS /ws/orders", 400]
        assert order_socket.UNSENT_MAX <= refusals < 40_000, "what the kernel holds, and a little"
        nursery.cancel_scope.cancel()


async def test_an_amend_right_behind_its_order(behind: Any, client_frame: Any) -> None:
    wire = await behind.socket()
    order = {"id": 1, "order_id": "o", "client_id": "A", "side": "buy", "price": 100, "quantity": 1}
    amend = {"id": 2, "op": "amend", "order_id": "o", "price": "101.05"}
    await wire.send(
        client_frame(1, json.dumps({**order, "instrument": "ETH-USD"}).encode())
        + client_frame(1, json.dumps(amend).encode())
    )
    assert [(await wire.told())["order"]["price"] for _ in range(2)] == [100, 101.05]


async def test_a_client_that_is_gone_has_placed_its_orders(
    behind: Any, text: Any, house: Any, hold: Any, capsys: Any
) -> None:
    wire = await behind.socket()
    await wire.send(text("a", "b"))
    await trio.testing.wait_all_tasks_blocked(0.01)
    await wire.stream.aclose()
    await trio.testing.wait_all_tasks_blocked(0.01)
    hold.release()
    await house.partition.gate.wait_durable(3)
    assert house.engine.orders.open_count == 2
    await behind.assert_serving()
    assert "request_failed" not in capsys.readouterr().out


async def test_text_that_is_none(behind: Any, client_frame: Any) -> None:
    wire = await behind.socket()
    await wire.send(client_frame(2, b"\xff"))
    assert (await wire.message())[1][:2] == (1007).to_bytes(2, "big")
