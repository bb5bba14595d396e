"""The rule: time jumps to what is awaited first, and all who wait for one moment wake in it."""

from collections.abc import Awaitable, Callable

import trio

from tradeclear.testing.simulation.schedule import JumpingClock, Waiting, run_deterministic


def test_sleepers_of_both_kinds_wake_in_the_order_of_time() -> None:
    woken: list[tuple[str, float]] = []

    async def main(clock: JumpingClock) -> None:
        async def one(name: str, sleep: Callable[[float], Awaitable[None]], seconds: float) -> None:
            await sleep(seconds)
            woken.append((name, clock.now_s))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "late", trio.sleep, 3.0)
            nursery.start_soon(one, "later", clock.sleep, 4.0)
            nursery.start_soon(one, "first", clock.sleep, 1.0)
            nursery.start_soon(one, "second", trio.sleep, 2.0)

    run_deterministic(1, main)
    assert woken == [("first", 1.0), ("second", 2.0), ("late", 3.0), ("later", 4.0)]


def test_one_moment_is_one_round_in_the_order_that_trio_draws() -> None:
    def order(seed: int, kinds: str) -> str:
        woken: list[str] = []

        async def main(clock: JumpingClock) -> None:
            async def one(number: int, kind: str) -> None:
                await (clock.sleep if kind == "c" else trio.sleep)(1.0)
                woken.append(str(number))

            async with trio.open_nursery() as nursery:
                for number, kind in enumerate(kinds):
                    nursery.start_soon(one, number, kind)

        run_deterministic(seed, main)
        return "".join(woken)

    for seed in range(20):
        assert len({order(seed, kinds) for kinds in ("tttt", "cccc", "ctct", "tcct")}) == 1
    assert len({order(seed, "cccc") for seed in range(20)}) > 5


def test_a_sleep_ends_when_it_is_cancelled_and_a_shielded_one_does_not() -> None:
    ends: list[float] = []

    async def main(clock: JumpingClock) -> None:
        with trio.move_on_after(1):
            await clock.sleep(5)
        ends.append(clock.now_s)
        with trio.move_on_after(1) as scope:
            await clock.sleep_shielded(5)
            ends.append(clock.now_s)
            await trio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        await clock.sleep(5)
        ends.append(clock.now_s)

    run_deterministic(1, main)
    assert ends == [1.0, 6.0, 11.0]


def test_a_wait_is_ended_once_by_whoever_comes_first() -> None:
    async def main(clock: JumpingClock) -> None:
        early, ended, late = Waiting(), Waiting(), Waiting()
        early.end()
        await clock.wait(early, 9)
        assert clock.now_s == 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.wait, ended, 9)
            await clock.sleep(1)
            ended.end()
            ended.end()
        assert clock.now_s == 1
        await clock.wait(late, 2)
        late.end()
        assert clock.now_s == 3

    run_deterministic(1, main)
