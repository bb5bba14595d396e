"""The rule: with Redis stopped under load no order is lost, and the mirror is right after it."""

from tradeclear.testing.redis_outage import run_outage


async def test_orders_go_on_and_the_mirror_catches_up() -> None:
    outage = await run_outage(rate_per_s=200, phase_s=3)
    assert [found.orders for found in outage.latencies.values()] == [600, 600, 600]
    assert outage.differences == []
    assert outage.caught_up_s is not None
