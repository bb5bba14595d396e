"""The rule: waits are random under a bound that doubles up to a maximum, and patience ends."""

import math
import random

import trio

from tradeclear.client.backoff import Backoff, Patience


class Highest(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return b


async def test_bounds_double_up_to_the_maximum(autojump_clock: object) -> None:
    patience = Patience(first_s=0.1, most_s=0.5, give_up_s=math.inf)
    backoff = Backoff(patience, Highest())
    assert [backoff.next_s() for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    backoff.reset()
    assert backoff.next_s() == 0.1


async def test_waits_are_spread(autojump_clock: object) -> None:
    backoff = Backoff(Patience(first_s=1, most_s=1, give_up_s=math.inf), random.Random(1))
    waits = [wait for _ in range(100) if (wait := backoff.next_s()) is not None]
    assert len(set(waits)) == 100
    assert min(waits) < 0.2
    assert 0.8 < max(waits) <= 1


async def test_what_the_server_asks_for_is_kept(autojump_clock: object) -> None:
    assert Backoff(Patience(first_s=0.1), Highest()).next_s(3) == 3.1


async def test_gives_up_after_failing_for_so_long(autojump_clock: object) -> None:
    backoff = Backoff(Patience(first_s=1, most_s=1, give_up_s=10), Highest())
    waited = 0.0
    while (wait := backoff.next_s()) is not None:
        waited += wait
        await trio.sleep(wait)
    assert waited == 10


async def test_a_success_renews_the_patience(autojump_clock: object) -> None:
    backoff = Backoff(Patience(first_s=1, most_s=1, give_up_s=2), Highest())
    for _ in range(10):
        assert backoff.next_s() == 1
        await trio.sleep(1)
        backoff.reset()
