"""The rule: a burst, then so many a second, each name for itself, in bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeclear.gateway.rate_limits import RateLimited, RateLimits, TokenBuckets, network, unlimited
from tradeclear.model.errors import InvalidField


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def buckets(clock: Clock, rate: float = 10, burst: int = 5, most: int = 100) -> TokenBuckets:
    return TokenBuckets(rate_per_s=rate, burst=burst, clock=clock, buckets_max=most)


def test_a_burst_then_nothing() -> None:
    limit = buckets(Clock())
    assert [limit.take("a").remaining for _ in range(5)] == [4, 3, 2, 1, 0]
    taken = limit.take("a")
    assert (taken.allowed, taken.limit, taken.remaining) == (False, 5, 0)
    assert taken.wait_s == pytest.approx(0.1)


def test_tokens_come_back_at_the_rate() -> None:
    clock = Clock()
    limit = buckets(clock)
    limit.take("a", 5)
    clock.now += 0.25
    assert [limit.take("a").allowed for _ in range(3)] == [True, True, False]


def test_a_bucket_holds_no_more_than_the_burst() -> None:
    clock = Clock()
    limit = buckets(clock)
    limit.take("a")
    clock.now += 3600
    assert [limit.take("a").allowed for _ in range(6)] == [True] * 5 + [False]


def test_waiting_as_told_is_enough() -> None:
    clock = Clock()
    limit = buckets(clock, rate=3)
    limit.take("a", 5)
    clock.now += limit.take("a").wait_s
    assert limit.take("a").allowed


def test_names_do_not_share() -> None:
    limit = buckets(Clock())
    limit.take("a", 5)
    assert limit.take("b").allowed


def test_all_tokens_or_none() -> None:
    limit = buckets(Clock())
    limit.take("a", 3)
    assert not limit.take("a", 3).allowed
    assert limit.take("a", 2).allowed


def test_more_than_the_burst_is_never_there() -> None:
    assert not buckets(Clock()).take("a", 6).allowed


def test_rate_0_is_no_limit_and_remembers_nothing() -> None:
    limit = buckets(Clock(), rate=0)
    assert all(limit.take("a", 10**9).allowed for _ in range(10))
    assert (len(limit), limit.take("a").headers()) == (0, ())


def test_the_longest_idle_is_forgotten_first() -> None:
    limit = buckets(Clock(), most=2)
    limit.take("a", 5)
    limit.take("b", 5)
    limit.take("a")
    limit.take("c")
    assert len(limit) == 2
    assert not limit.take("a").allowed
    assert limit.take("b").allowed


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 3)), max_size=60))
def test_never_more_than_burst_and_rate_allow(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    limit = buckets(clock)
    start, got = clock.now, 0
    for pause, tokens in steps:
        clock.now += pause
        got += tokens if limit.take("a", tokens).allowed else 0
        assert got <= 5 + 10 * (clock.now - start) + 1e-6


def test_both_limits_say_whose_they_are() -> None:
    clock = Clock()
    limits = RateLimits(client=buckets(clock, burst=1), address=buckets(clock, burst=2))
    limits.charge_client("A")
    with pytest.raises(RateLimited, match=r"of this client: wait 0\.100 s") as caught:
        limits.charge_client("A")
    assert caught.value.taken.headers() == (("RateLimit-Limit", "1"), ("RateLimit-Remaining", "0"))
    limits.charge_address("192.0.2.1", 2)
    with pytest.raises(RateLimited, match="of this address"):
        limits.charge_address("192.0.2.1")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002::/64"),
        ("2001:db8:1:2::", "20010db800010002::/64"),
        ("fe80::1%eth0", "fe80000000000000::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("not:an:address", "not:an:address"),
        ("", ""),
    ],
)
def test_networks(address: str, name: str) -> None:
    assert network(address) == name


def test_a_reserved_client_is_refused_whatever_the_limits() -> None:
    off = TokenBuckets(rate_per_s=0, burst=0, clock=Clock())
    limits = RateLimits(client=off, address=off, reserved=frozenset({"house"}))
    limits.charge_client("ann")
    with pytest.raises(InvalidField, match="client_id: house is the exchange's own"):
        limits.charge_client("house")


def test_together_or_nobody() -> None:
    clock = Clock()
    limits = RateLimits(
        client=buckets(clock), address=buckets(clock, burst=9), reserved=frozenset({"house"})
    )
    assert not limits.charge_together("192.0.2.1", {"A": 3, "B": 6})
    assert not limits.charge_together("192.0.2.1", {"A": 1, "house": 1})
    assert not limits.charge_together("192.0.2.1", {"A": 5, "B": 5})
    assert limits.charge_together("192.0.2.1", {"A": 5, "B": 5}, paid=1)
    assert not limits.charge_together("192.0.2.2", {"A": 1})
    with pytest.raises(RateLimited, match="of this address"):
        limits.charge_address("192.0.2.1")
    clock.now += 0.1
    assert limits.charge_together("192.0.2.1", {"B": 1})


def test_together_without_limits() -> None:
    assert unlimited().charge_together("192.0.2.1", {"A": 10**9})


def test_a_bucket_that_was_forgotten_meanwhile_is_full_anyway() -> None:
    clock = Clock()
    few = TokenBuckets(rate_per_s=10, burst=5, clock=clock, buckets_max=2)
    limits = RateLimits(client=few, address=buckets(clock, burst=9))
    assert not limits.charge_together("192.0.2.1", {"A": 1, "B": 1, "C": 1, "D": 6})
    assert limits.charge_together("192.0.2.1", {"A": 5})


def test_a_long_uptime_costs_no_tokens() -> None:
    clock = Clock()
    clock.now = 30 * 86_400.0
    limit = buckets(clock, rate=1000, burst=5000)
    assert [limit.take("a").remaining for _ in range(5000)] == list(range(4999, -1, -1))
