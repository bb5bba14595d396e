"""Nothing that depends on record N leaves before N is durable."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tradeclear.model.errors import OutcomeUnknown
from tradeclear.pipeline.gate import CommitGate
from tradeclear.pipeline.outcome import Answer
from tradeclear.telemetry.metrics import LATENCY_BOUNDS_S, Histogram


def gate(durable: int = 0) -> CommitGate:
    return CommitGate(durable, Histogram(LATENCY_BOUNDS_S))


def test_an_answer_waits_for_its_record() -> None:
    told: list[tuple[str, Answer]] = []
    commit_gate = gate()
    for seq, name in ((1, "a"), (2, "b"), (2, "c"), (3, "d")):
        commit_gate.answer(seq, lambda answer, name=name: told.append((name, answer)), None)
    assert told == []
    commit_gate.advance(2, now=0)
    assert told == [("a", None), ("b", None), ("c", None)]
    commit_gate.advance(3, now=0)
    assert told[-1] == ("d", None)


def test_an_answer_that_was_computed_earlier_does_not_wait_for_a_later_one() -> None:
    told: list[str] = []
    commit_gate = gate()
    commit_gate.answer(3, lambda _answer: told.append("later"), None)
    commit_gate.answer(1, lambda _answer: told.append("earlier"), None)
    commit_gate.advance(1, now=0)
    assert told == ["earlier"]


def test_an_answer_from_durable_state_leaves_at_once() -> None:
    told: list[Answer] = []
    gate(durable=5).answer(5, told.append, None)
    assert told == [None]


def test_a_failure_tells_every_waiter_now_and_later_that_its_outcome_is_unknown() -> None:
    told: list[Answer] = []
    commit_gate = gate()
    commit_gate.answer(1, told.append, None)
    commit_gate.fail()
    commit_gate.answer(2, told.append, None)
    commit_gate.hold(3, told.append, None, since=0)
    assert [type(answer) for answer in told] == [OutcomeUnknown] * 3


def test_the_answer_of_a_new_record_waits_for_it() -> None:
    told: list[Answer] = []
    commit_gate = gate(durable=1)
    commit_gate.hold(2, told.append, None, since=0)
    assert told == []
    commit_gate.advance(2, now=1)
    assert told == [None]
    with pytest.raises(AssertionError, match="not newer"):
        commit_gate.hold(2, told.append, None, since=0)


def test_latency_is_counted_for_submissions_only() -> None:
    histogram = Histogram(LATENCY_BOUNDS_S)
    commit_gate = CommitGate(0, histogram)
    commit_gate.answer(1, lambda _answer: None, None, since=10.0)
    commit_gate.answer(1, lambda _answer: None, None)
    commit_gate.advance(1, now=10.5)
    assert (histogram.count, histogram.sum) == (1, 0.5)


async def test_waiting_for_a_record_returns_when_it_is_durable() -> None:
    commit_gate = gate()
    passed: list[int] = []

    async def wait(seq: int) -> None:
        await commit_gate.wait_durable(seq)
        passed.append(seq)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, 1)
        nursery.start_soon(wait, 2)
        await wait_all_tasks_blocked()
        assert passed == []
        commit_gate.advance(1, now=0)
        await wait_all_tasks_blocked()
        assert passed == [1]
        commit_gate.advance(2, now=0)
    assert passed == [1, 2]


async def test_waiting_for_a_record_that_never_comes_raises() -> None:
    commit_gate = gate()
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(OutcomeUnknown):
                await commit_gate.wait_durable(1)

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        commit_gate.fail()


async def test_after_a_failure_even_what_is_durable_can_not_be_waited_for() -> None:
    commit_gate = gate(durable=5)
    commit_gate.fail()
    with pytest.raises(OutcomeUnknown):
        await commit_gate.wait_durable(5)
