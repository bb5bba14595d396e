"""The rule: every update once and in order; a gap is seen; half a snapshot is nothing."""

from datetime import UTC, datetime
from typing import Any

from tradeclear.client.following import Following
from tradeclear.client.messages import DepthSnapshot, Live, Resume, Subscribed, TradesUpdate
from tradeclear.client.topic import Topic

NOW = datetime(2025, 1, 31, tzinfo=UTC)
DELTAS = Topic.deltas("X", interval_ms=100)
TRADES = Topic.trades("X")


def subscribed(sequence: int, number: int, resume: Resume = "none") -> Subscribed:
    return Subscribed(
        channels=("trades",), instrument="X", sequence=sequence, resume=resume, id=number
    )


def live(sequence: int, number: int) -> Live:
    return Live(channels=("trades",), instrument="X", sequence=sequence, id=number)


def update(previous: int, sequence: int) -> TradesUpdate:
    return TradesUpdate(
        instrument="X", sequence=sequence, previous_sequence=previous, timestamp=NOW, trades=()
    )


def part(number: int, parts: int) -> DepthSnapshot:
    return DepthSnapshot(
        instrument="X", sequence=10, part=number, parts=parts, complete=True, bids=(), asks=()
    )


def begun(topic: Topic = TRADES, sequence: int = 10) -> Following:
    following = Following(topic)
    following.ask(1)
    assert following.judge(subscribed(sequence, 1)) == "tell"
    return following


def asked(following: Following, number: int) -> dict[str, Any]:
    return following.ask(number)


def test_requests() -> None:
    assert Following(DELTAS).ask(1) == {
        "op": "subscribe",
        "id": 1,
        "channels": ["orderbook_deltas"],
        "instrument": "X",
        "interval_ms": 100,
    }
    assert Following(Topic.orders("X", "a", from_sequence=0)).ask(2) == {
        "op": "subscribe",
        "id": 2,
        "channels": ["orders"],
        "instrument": "X",
        "client_id": "a",
        "from_sequence": 0,
    }


def test_updates_chain() -> None:
    following = begun()
    assert [following.judge(update(p, s)) for p, s in [(10, 11), (11, 15), (12, 16)]] == [
        "tell",
        "tell",
        "tell",
    ]
    assert following.position == 16


def test_what_is_known_is_skipped() -> None:
    following = begun()
    assert following.judge(update(8, 10)) == "skip"
    assert following.judge(update(10, 12)) == "tell"
    assert following.judge(update(10, 12)) == "skip"


def test_a_lower_bound_below_the_position_follows() -> None:
    assert begun().judge(update(7, 12)) == "tell"


def test_a_gap_is_seen_and_the_position_stays() -> None:
    following = begun()
    assert following.judge(update(11, 12)) == "gap"
    assert following.position == 10
    assert asked(following, 2)["from_sequence"] == 10


def test_a_gap_that_stays_is_told_apart() -> None:
    following = begun()
    assert following.judge(update(11, 12)) == "gap"
    following.ask(2)
    following.judge(subscribed(10, 2, "replayed"))
    assert following.judge(update(11, 12)) == "stuck"
    following.lost()
    following.ask(3)
    following.judge(subscribed(10, 3, "replayed"))
    assert following.judge(update(10, 12)) == "tell"
    assert following.judge(update(13, 14)) == "gap"


def test_while_a_gap_is_mended_the_rest_is_skipped() -> None:
    following = begun()
    following.judge(update(11, 12))
    following.ask(2)
    assert following.judge(update(12, 13)) == "skip"
    assert following.judge(subscribed(10, 2, "replayed")) == "tell"
    assert [following.judge(update(p, s)) for p, s in [(10, 12), (12, 13)]] == ["tell", "tell"]


def test_answers_to_an_older_request_are_skipped() -> None:
    following = begun()
    following.ask(2)
    assert following.judge(live(99, 1)) == "skip"
    assert following.judge(subscribed(99, 1)) == "skip"
    assert following.position == 10


def test_live_moves_the_position() -> None:
    following = begun()
    assert not following.live
    assert following.judge(live(14, 1)) == "tell"
    assert (following.live, following.position) == (True, 14)
    assert following.judge(update(14, 15)) == "tell"


def test_a_loss_goes_on_from_the_position() -> None:
    following = begun()
    following.judge(update(10, 12))
    following.lost()
    assert not following.live
    assert asked(following, 2)["from_sequence"] == 12


def test_half_a_snapshot_is_nothing_to_go_on_from() -> None:
    for parts_seen in (0, 1):
        following = begun(DELTAS)
        for number in range(parts_seen):
            following.judge(part(number + 1, 2))
        following.lost()
        assert "from_sequence" not in asked(following, 2)


def test_a_whole_snapshot_is() -> None:
    following = begun(DELTAS)
    following.judge(part(1, 2))
    following.judge(part(2, 2))
    following.lost()
    assert asked(following, 2)["from_sequence"] == 10


def test_a_resumption_that_began_needs_no_snapshot() -> None:
    following = Following(Topic.deltas("X", from_sequence=5))
    following.ask(1)
    following.judge(subscribed(5, 1, "replayed"))
    following.lost()
    assert asked(following, 2)["from_sequence"] == 5


def test_too_old_begins_anew() -> None:
    following = Following(Topic.trades("X", from_sequence=5))
    following.ask(1)
    assert following.judge(subscribed(900, 1, "too_old")) == "tell"
    assert following.judge(update(4, 600)) == "skip"
    assert following.judge(update(899, 901)) == "tell"
