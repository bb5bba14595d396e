"""The rule: tasks end with the body, and what it raises comes out as it is."""

import pytest
import trio

from tradeclear.client.tending import tended_nursery


async def test_tasks_end_with_the_body(autojump_clock: object) -> None:
    async with tended_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
    assert trio.current_time() >= 0


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
async def test_an_error_of_the_body_is_in_no_group(error: BaseException) -> None:
    async def body() -> None:
        async with tended_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise error

    with pytest.raises(type(error)) as raised:
        await body()
    assert raised.value is error


async def test_cancelling_passes_through(autojump_clock: object) -> None:
    with trio.move_on_after(1) as scope:
        async with tended_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_an_error_of_a_task_is_not_lost() -> None:
    async def fail() -> None:
        raise ValueError("x")

    async def body() -> None:
        async with tended_nursery() as nursery:
            nursery.start_soon(fail)
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup):
        await body()
