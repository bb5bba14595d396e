"""The rule: our book is the venue's, less what users took, and its trades reach users' orders.

A whole exchange follows a generated venue that changes ten times a second, on the autojump clock;
between two changes nothing is under way, and the house's orders are what the rule says.
"""

from typing import Any

import pytest
import trio

from tradeclear.model.events import OrderPlaced, TradeExecuted
from tradeclear.model.instrument import define_instrument
from tradeclear.testing.venue_sim.faults import parse_fault
from tradeclear.venues.messages import Diff, Trade
from tradeclear.venues.shadow import shadow as module

QUOTES = "house-quotes"
TRADES = "house-trades"


async def test_the_book_is_the_venues(open_shadow: Any, autojump_clock: Any) -> None:
    async with open_shadow() as shadowed:
        await shadowed.until_quoting()
        for _ in range(300):
            await shadowed.quiet()
            assert shadowed.resting() == shadowed.shown()
            assert not shadowed.crossed
        assert shadowed.metrics.shadow_trades["sent"] > 500
        assert set(shadowed.metrics.shadow_trades) <= {"sent", "closed"}
        assert 250 < shadowed.metrics.shadow_quotes < 330  # one a diff, if it touches what is shown
        assert shadowed.states == ["waiting: withdrawn", "quoting"]


async def test_so_many_levels_a_side(open_shadow: Any, autojump_clock: Any) -> None:
    async with open_shadow(levels_max=120) as shadowed:
        await shadowed.until_quoting()
        for _ in range(50):
            await shadowed.quiet()
            assert shadowed.resting() == shadowed.shown(120)
        assert len(shadowed.resting()) == 240


async def test_on_a_coarser_grid(open_shadow: Any, autojump_clock: Any) -> None:
    coarse = define_instrument("BTC-USD", tick_size="0.25", lot_size="0.1")
    async with open_shadow(instrument=coarse) as shadowed:
        await shadowed.until_quoting()
        for _ in range(200):
            await shadowed.quiet()
            assert shadowed.resting() == shadowed.shown()


async def test_what_a_user_takes_is_missing_until_it_is_refilled(
    open_shadow: Any, autojump_clock: Any
) -> None:
    async with open_shadow(refill_s=10.0) as shadowed:
        await shadowed.until_quoting()
        (_, price), there = next(iter(shadowed.shown().items()))
        record = await shadowed.order("sell", max(1, there // 2))
        trade = next(event for event in record.events if isinstance(event, TradeExecuted))
        assert (trade.buy_client_id, trade.price) == (QUOTES, price)
        place, missing = ("buy", price), trade.quantity
        followed = 0
        for _ in range(140):
            await shadowed.quiet()
            now_s = trio.current_time()
            shown = shadowed.shown()
            wanted = {
                where: left
                for where, lots in shown.items()
                if (left := max(0, lots - shadowed.shadow.impact.missing(where, now_s)))
            }
            assert shadowed.resting() == wanted
            followed += shadowed.resting().get(place, 0) < shown.get(place, 0)
        assert followed >= 1
        assert shadowed.shadow.impact.missing(place, trio.current_time()) == 0 < missing
        assert shadowed.resting() == shadowed.shown()


async def test_a_users_order_in_the_spread_is_filled_by_the_flow(
    open_shadow: Any, autojump_clock: Any
) -> None:
    async with open_shadow() as shadowed:
        await shadowed.until_quoting()
        while shadowed.best("sell") - shadowed.best("buy") < 2:
            await shadowed.quiet()
        record = await shadowed.order("buy", 1_000, shadowed.best("buy") + 1)
        assert isinstance(record.events[0], OrderPlaced)
        order_id = record.events[0].order_id
        assert record.events[0].status == "open"
        with shadowed.exchange.follow(65_536) as records, trio.fail_after(60):
            takers: list[str] = []
            while not shadowed.engine.orders.by_id[order_id].closed:
                for one in await records.take():
                    takers += [
                        event.sell_client_id
                        for event in one.events
                        if isinstance(event, TradeExecuted) and event.buy_order_id == order_id
                    ]
        assert set(takers) <= {TRADES, QUOTES}
        assert shadowed.engine.orders.by_id[order_id].status == "filled"


async def test_a_market_that_moves_through_a_users_order_fills_it(
    open_shadow: Any, autojump_clock: Any
) -> None:
    async with open_shadow() as shadowed:
        await shadowed.until_quoting()
        # More than there is up to its price: what is left rests there, in the venue's way.
        price = shadowed.best("sell") + 20
        record = await shadowed.order("buy", 100_000_000, price)
        order = shadowed.engine.orders.by_id[record.command.order_id]
        before = order.remaining
        assert not order.closed
        for _ in range(100):
            await shadowed.quiet()
            assert not shadowed.crossed
            assert all(where > price for side, where in shadowed.resting() if side == "sell")
        assert order.remaining < before


@pytest.mark.parametrize("withdraw", [True, False])
async def test_a_stale_market(open_shadow: Any, autojump_clock: Any, withdraw: bool) -> None:
    async with open_shadow(withdraw_stale=withdraw) as shadowed:
        await shadowed.until_quoting()
        shadowed.venue.faults.order(parse_fault("outage,for_s=20"), trio.current_time())
        await trio.sleep(4)
        assert shadowed.resting() == shadowed.shown()
        await trio.sleep(12)
        assert bool(shadowed.resting()) is not withdraw
        assert shadowed.states[-1] == ("stale: withdrawn" if withdraw else "stale: kept")
        await trio.sleep(20)
        await shadowed.quiet()
        assert shadowed.states[-1] == "quoting"
        assert shadowed.resting() == shadowed.shown()


async def test_behind_it_begins_again_from_an_empty_house(
    open_shadow: Any, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECORDS_MAX", 40)
    async with open_shadow() as shadowed:
        await shadowed.until_quoting()
        before = shadowed.shadow.begun
        async with trio.open_nursery() as nursery:
            for _ in range(80):
                nursery.start_soon(shadowed.order, "buy", 1, 1)
        await shadowed.quiet()
        assert shadowed.shadow.begun > before
        for _ in range(20):
            await shadowed.quiet()
            assert shadowed.resting() == shadowed.shown()


async def test_while_the_exchange_takes_nothing_it_waits(
    open_shadow: Any, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_shadow() as shadowed:
        await shadowed.until_quoting()
        intake = shadowed.partition._intake
        monkeypatch.setattr(type(intake), "full", property(lambda self: True))
        await trio.sleep(5)
        assert shadowed.metrics.shadow_trades["dropped"] > 0
        monkeypatch.undo()
        await trio.sleep(1)
        await shadowed.quiet()
        assert shadowed.resting() == shadowed.shown()


async def test_at_most_one_quote_is_under_way(open_shadow: Any, autojump_clock: Any) -> None:
    async with open_shadow() as shadowed:
        await shadowed.until_quoting()
        under_way, most = 0, 0
        submit = shadowed.exchange.submit

        async def slowly(command: Any) -> Any:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await trio.sleep(0.7)
            under_way -= 1
            return await submit(command)

        shadowed.exchange.submit = slowly
        before = shadowed.metrics.shadow_quotes
        await trio.sleep(14)
        assert most == 1
        assert 10 < shadowed.metrics.shadow_quotes - before < 25


async def test_orders_of_an_earlier_life_go_first(open_shadow: Any, autojump_clock: Any) -> None:
    async def leave(shadowed: Any) -> None:
        await shadowed.order("buy", 5, 100, client=QUOTES)
        await shadowed.order("sell", 5, 900_000_000, client=QUOTES)
        assert len(shadowed.resting()) == 2

    async with open_shadow(earlier=leave) as shadowed:
        await shadowed.until_quoting()
        assert shadowed.resting() == shadowed.shown()


async def test_a_quote_between_two_diffs_does_not_put_back_what_was_traded(
    open_shadow: Any, autojump_clock: Any
) -> None:
    async with open_shadow() as shadowed:
        await shadowed.until_quoting()
        place = ("sell", shadowed.best("sell"))
        there = shadowed.resting()[place]
        traded = there // 2 + 1
        shadowed.shadow.take(Trade(1, place[1] * 10**6, traded * 10**3, 0, seller_was_taker=False))
        await trio.sleep(0.01)
        assert shadowed.resting()[place] == there - traded
        await shadowed.order("sell", 1)  # a reason to look at everything again
        await trio.sleep(0.01)
        assert shadowed.resting()[place] == there - traded
        shadowed.shadow.take(Diff(1, 1, (), ()))  # had the venue shown it again, it would be right
        await shadowed.order("sell", 1)
        await trio.sleep(0.01)
        assert shadowed.resting()[place] == there
