"""The rule: after a withdrawal the house has nothing in the book, however much it had."""

from typing import Any

import pytest
import trio

from tradeclear.core import engine
from tradeclear.venues.shadow.withdrawal import withdraw

QUOTES = "house-quotes"
TRADES = "house-trades"


async def test_all_clients_are_gone_at_the_record_that_is_told(
    open_shadow: Any, autojump_clock: Any
) -> None:
    async with open_shadow() as shadowed:
        await shadowed.until_quoting()
        await shadowed.order("buy", 1, 1, client=TRADES)
        await shadowed.order("buy", 1, 1, client="ann")
        told = await withdraw(shadowed.exchange, TRADES, QUOTES)
        assert told == shadowed.engine.seq
        assert shadowed.resting() == shadowed.resting(TRADES) == {}
        assert shadowed.resting("ann") == {("buy", 1): 1}


async def test_a_cancel_all_that_is_too_long_is_asked_again(
    open_shadow: Any, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "CANCELS_MAX", 7)
    async with open_shadow() as shadowed:
        await shadowed.until_quoting()
        before = shadowed.engine.seq
        await withdraw(shadowed.exchange, QUOTES)
        assert shadowed.resting() == {}
        assert shadowed.engine.seq >= before + 15


async def test_an_exchange_that_takes_nothing_is_asked_until_it_does(
    open_shadow: Any, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_shadow() as shadowed:
        await shadowed.until_quoting()
        intake = type(shadowed.partition._intake)
        with monkeypatch.context() as patch, trio.move_on_after(3) as waited:
            patch.setattr(intake, "full", property(lambda self: True))
            await withdraw(shadowed.exchange, QUOTES)
        assert waited.cancelled_caught
        await withdraw(shadowed.exchange, QUOTES)
        assert shadowed.resting() == {}
