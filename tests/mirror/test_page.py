"""The rule: a page writes what changed and nothing else, and notices when Redis is not as left."""

from tradeclear.mirror.keys import CONFIRMED_MS, own_keys, venue_keys
from tradeclear.mirror.page import Page

from .conftest import image

KEYS = own_keys("BTC-USD")
FIRST = image(7, ["100 1 1", "99 1 1"], ["101 2 1"])


def page_after_first() -> Page:
    page = Page(KEYS)
    page.commands(FIRST)
    assert page.written(FIRST, (2, 1))
    return page


def test_the_first_time_everything_is_written_whole() -> None:
    assert Page(KEYS).commands(FIRST) == [
        ("DEL", "tradeclear:BTC-USD:bids"),
        ("ZADD", "tradeclear:BTC-USD:bids", "-100", "100:1:1", "-99", "99:1:1"),
        ("DEL", "tradeclear:BTC-USD:asks"),
        ("ZADD", "tradeclear:BTC-USD:asks", "101", "101:2:1"),
        ("SET", "tradeclear:BTC-USD:sequence", 7),
        ("SET", "tradeclear:BTC-USD:confirmed", "1", "PX", CONFIRMED_MS),
        ("PUBLISH", "tradeclear:BTC-USD:depth", '{"bids":[[100,1],[99,1]],"asks":[[101,2]]}'),
        ("ZCARD", "tradeclear:BTC-USD:bids"),
        ("ZCARD", "tradeclear:BTC-USD:asks"),
    ]


def test_then_only_what_changed() -> None:
    later = image(9, ["100 1 1", "99 0.5 1"], ["101 2 1"])
    assert page_after_first().commands(later)[:2] == [
        ("ZREM", "tradeclear:BTC-USD:bids", "99:1:1"),
        ("ZADD", "tradeclear:BTC-USD:bids", "-99", "99:0.5:1"),
    ]


def test_without_a_change_it_is_confirmed_and_not_published() -> None:
    names = [command[0] for command in page_after_first().commands(FIRST)]
    assert names == ["SET", "SET", "ZCARD", "ZCARD"]


def test_a_side_that_empties_is_taken_out_member_by_member() -> None:
    commands = page_after_first().commands(image(8, ["100 1 1", "99 1 1"], []))
    assert commands[0] == ("ZREM", "tradeclear:BTC-USD:asks", "101:2:1")


def test_other_sizes_than_left_there_mean_everything_anew() -> None:
    page = page_after_first()
    assert not page.written(FIRST, (0, 0))
    assert page.commands(FIRST)[0] == ("DEL", "tradeclear:BTC-USD:bids")


def test_the_venue_has_keys_of_its_own_no_sequence_and_its_age() -> None:
    page = Page(venue_keys("BTCUSDT"))
    old = image(None, ["100 1"], [])
    commands = page.commands(type(old)(bids=old.bids, asks=[], age_s=1.5))
    assert commands == [
        ("DEL", "bids"),
        ("ZADD", "bids", "-100", "100:1"),
        ("DEL", "asks"),
        ("SET", "depth:confirmed", "1", "PX", CONFIRMED_MS - 1500),
        ("PUBLISH", "depth:update", '{"bids":[[100,1]],"asks":[]}'),
        ("ZCARD", "bids"),
        ("ZCARD", "asks"),
    ]
