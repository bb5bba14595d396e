"""The rule: commands are pipelined in order; a lost connection loses none and doubles none."""

from typing import Any

import pytest
import trio

from tradeclear.client.errors import NotUnderstood, OutcomeUnknown, Refused
from tradeclear.client.order_socket import MESSAGE_COMMANDS_MAX, open_order_socket

from .conftest import HASTE, ORDER, SocketScript, Talk, problem


def done(command: Any, **more: Any) -> dict[str, Any]:
    order = {**ORDER, "order_id": command["order_id"]}
    return {"id": command["id"], "status": 201, **more, "order": order, "trades": []}


async def place_many(orders: Any, count: int, ids: list[str] | None = None) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(place, orders, f"o{number}", ids)
            await trio.testing.wait_all_tasks_blocked()


async def place(orders: Any, order_id: str, ids: list[str] | None) -> None:
    reply = await orders.place("buy", 1, 1, order_id=order_id)
    assert reply.order.order_id == order_id
    if ids is not None:
        ids.append(order_id)


async def test_replies_find_who_waits_for_them(socket_script: SocketScript) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        commands: list[Any] = []
        while len(commands) < 3:
            commands += await talk.hear()
        for command in reversed(commands):
            await talk.say(**done(command))
        await talk.until_gone()

    ids: list[str] = []
    async with open_order_socket(socket_script.url, "client-A", HASTE) as orders:
        await place_many(orders, 3, ids)
    assert ids == ["o2", "o1", "o0"]
    assert socket_script.paths == ["/ws/orders"]


async def test_a_message_holds_what_waits_and_no_more_than_may(
    socket_script: SocketScript,
) -> None:
    heard: list[list[str]] = []

    @socket_script.part
    async def _(talk: Talk) -> None:
        while True:
            commands = await talk.hear()
            heard.append([command["order_id"] for command in commands])
            for command in commands:
                await talk.say(**done(command))

    async with (
        open_order_socket(socket_script.url, "client-A", HASTE) as orders,
        trio.open_nursery() as nursery,
    ):
        for number in range(3 * MESSAGE_COMMANDS_MAX):
            nursery.start_soon(place, orders, f"o{number}", None)
    assert max(map(len, heard)) == MESSAGE_COMMANDS_MAX
    assert sum(map(len, heard)) == 3 * MESSAGE_COMMANDS_MAX


async def test_after_a_loss_the_unanswered_go_out_again_in_order_with_their_keys(
    socket_script: SocketScript, jumping_clock: object
) -> None:
    first: list[Any] = []
    second: list[Any] = []

    @socket_script.part
    async def _(talk: Talk) -> None:
        while len(first) < 4:
            first.extend(await talk.hear())
        await talk.say(**done(first[1]))
        await talk.close(1011, "a fault of ours")

    @socket_script.part
    async def _(talk: Talk) -> None:
        while len(second) < 3:
            second.extend(await talk.hear())
        for command in second:
            await talk.say(**done(command, replayed=True))
        await talk.until_gone()

    async with open_order_socket(socket_script.url, "client-A", HASTE) as orders:
        await place_many(orders, 4)
    assert second == [first[0], first[2], first[3]]


async def test_a_command_that_was_refused_for_want_of_room_is_asked_again(
    socket_script: SocketScript, jumping_clock: object
) -> None:
    keys: list[str] = []

    @socket_script.part
    async def _(talk: Talk) -> None:
        while True:
            (command,) = await talk.hear()
            keys.append(command["idempotency_key"])
            if len(keys) == 1:
                await talk.say(id=command["id"], **problem(1013, "overloaded", 503))
            else:
                await talk.say(**done(command))

    async with open_order_socket(socket_script.url, "client-A", HASTE) as orders:
        await orders.place("buy", 1, 1, order_id="o")
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_a_refusal_reaches_who_asked(socket_script: SocketScript) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        (command,) = await talk.hear()
        await talk.say(id=command["id"], **problem(202, "unknown_order", 404))
        await talk.until_gone()

    async with open_order_socket(socket_script.url, "client-A", HASTE) as orders:
        with pytest.raises(Refused) as refused:
            await orders.cancel("nobody")
    assert refused.value.name == "unknown_order"


async def test_no_answer_at_all_is_an_unknown_outcome(
    socket_script: SocketScript, jumping_clock: object
) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        await talk.until_gone()

    async with open_order_socket(socket_script.url, "client-A", HASTE) as orders:
        with pytest.raises(OutcomeUnknown):
            await orders.place("buy", 1, 1)


async def test_a_server_that_is_no_exchange_fails_who_waits_and_who_comes(
    socket_script: SocketScript,
) -> None:
    async with open_order_socket(socket_script.url, "client-A", HASTE) as orders:
        for _ in range(2):
            with pytest.raises(NotUnderstood):
                await orders.place("buy", 1, 1)


async def test_a_cancelled_command_leaves_the_others_alone(socket_script: SocketScript) -> None:
    @socket_script.part
    async def _(talk: Talk) -> None:
        commands: list[Any] = []
        while len(commands) < 2:
            commands += await talk.hear()
        for command in commands:
            await talk.say(**done(command))
        await talk.until_gone()

    async with (
        open_order_socket(socket_script.url, "client-A", HASTE) as orders,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(place, orders, "kept", None)
        with trio.CancelScope() as scope:
            scope.cancel()
            await orders.place("buy", 1, 1, order_id="dropped")
        assert scope.cancelled_caught
        await orders.place("buy", 1, 1, order_id="next")
