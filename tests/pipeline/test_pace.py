"""The rule: a fast disk is synced in place, a slow one in the thread; in place it shows which."""

from random import Random

from tradeclear.pipeline.pace import (
    IN_PLACE_S_MAX,
    SURPRISE_S,
    TRY_AFTER_MAX,
    TRY_AFTER_MIN,
    Pace,
)

FAST_S = IN_PLACE_S_MAX / 3
WAITED_S = 5 * IN_PLACE_S_MAX  # a fast disk, and long until the interpreter was free


def commit(pace: Pace, *, disk_s: float, thread_s: float) -> bool:
    """One commit, on a disk that takes so long alone and by way of the thread: was it in place?"""
    in_place = pace.in_place
    pace.note(disk_s if in_place else thread_s, in_place=in_place)
    return in_place


def fast() -> Pace:
    """One that has met a fast disk."""
    pace = Pace()
    while not commit(pace, disk_s=FAST_S, thread_s=FAST_S):
        pass
    return pace


def test_begins_in_the_thread_and_goes_in_place_after_some_fast_commits() -> None:
    pace = Pace()
    places = [commit(pace, disk_s=FAST_S, thread_s=FAST_S) for _ in range(30)]
    first = places.index(True)
    assert 5 < first < TRY_AFTER_MIN
    assert all(places[first:])


def test_a_fast_disk_behind_a_busy_interpreter_is_found_out() -> None:
    pace = Pace()
    places = [commit(pace, disk_s=FAST_S, thread_s=WAITED_S) for _ in range(TRY_AFTER_MIN + 5)]
    assert places == [False] * TRY_AFTER_MIN + [True] * 5


def test_a_slow_disk_is_tried_ever_more_rarely() -> None:
    pace = Pace()
    tried = [
        number
        for number in range(20_000)
        if commit(pace, disk_s=10 * SURPRISE_S, thread_s=11 * SURPRISE_S)
    ]
    gaps = [after - before for before, after in zip([-1, *tried], tried, strict=False)]
    assert gaps[:3] == [TRY_AFTER_MIN + 1, 2 * TRY_AFTER_MIN + 1, 4 * TRY_AFTER_MIN + 1]
    assert max(gaps) == TRY_AFTER_MAX + 1


def test_one_stall_sends_the_next_commit_to_the_thread() -> None:
    pace = fast()
    assert commit(pace, disk_s=2 * SURPRISE_S, thread_s=FAST_S)
    assert not pace.in_place


def test_a_disk_that_becomes_slower_little_by_little_leaves_the_loop_alone() -> None:
    pace = fast()
    places = [commit(pace, disk_s=1.2 * IN_PLACE_S_MAX, thread_s=WAITED_S) for _ in range(30)]
    assert places[0]
    assert False in places


def test_a_lucky_commit_now_and_then_does_not_put_a_slow_disk_in_place() -> None:
    draw = Random(20_261_130)
    pace, stalls = Pace(), 0
    for _ in range(20_000):
        disk_s = FAST_S if draw.random() < 0.2 else 10 * SURPRISE_S
        stalls += commit(pace, disk_s=disk_s, thread_s=disk_s + FAST_S) and disk_s > SURPRISE_S
    assert 0 < stalls < 20


def test_a_fast_disk_that_stalls_now_and_then_is_mostly_used_in_place() -> None:
    pace = Pace()
    places = [
        commit(pace, disk_s=10 * SURPRISE_S if number % 500 == 499 else FAST_S, thread_s=WAITED_S)
        for number in range(20_000)
    ]
    assert sum(places) > 0.9 * len(places)
