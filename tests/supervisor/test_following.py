"""What is followed comes from the settings, and what is missing for it is named."""

import sys

import pytest

from tradeclear.config.load import SettingsError
from tradeclear.config.settings import Settings
from tradeclear.mirror.keys import venue_keys
from tradeclear.pipeline.book_image import CopyUnavailable
from tradeclear.supervisor.following import Following


def test_off_there_is_nothing() -> None:
    following = Following(Settings())
    assert following.market is None
    assert following.books == {}
    with pytest.raises(CopyUnavailable, match="--feed binance"):
        following.copies.names()


def test_binance_is_followed_and_mirrored_under_its_symbol() -> None:
    following = Following(Settings(feed="binance", feed_symbol="ETH/EUR"))
    assert following.market is not None
    assert following.copies.names() == ["ETHEUR"]
    assert following.books == {venue_keys("ETHEUR"): following.market}


def test_without_ccxt_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(SettingsError, match=r"tradeclear\[binance\]"):
        Following(Settings(feed="binance"))
