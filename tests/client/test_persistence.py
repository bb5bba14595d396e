"""The rule: it is asked again until an answer stands, and the unknown is never called refused."""

import json
from typing import Any

import pytest
import trio

from tradeclear.client.answer import Answer
from tradeclear.client.backoff import Patience
from tradeclear.client.errors import (
    Disconnected,
    NotUnderstood,
    OutcomeUnknown,
    Refused,
    Unreachable,
)
from tradeclear.client.persistence import persist

PATIENCE = Patience(first_s=0.1, most_s=1, give_up_s=10)
DONE = Answer(201, b"{}")
LOST = Disconnected("gone")
NOBODY = Unreachable("nobody there")


def refusal(code: int, status: int, **more: Any) -> Answer:
    problem = {"code": code, "name": f"p{code}", "status": status, "detail": "why", **more}
    return Answer(status, json.dumps(problem).encode())


OVERLOADED = refusal(1013, 503, retry_after_s=1)
UNKNOWN = refusal(1015, 503)
RATE_LIMITED = refusal(1012, 429, retry_after_s=1)


class Attempts:
    """Gives one after the other, the last for ever."""

    def __init__(self, *results: Answer | Exception) -> None:
        self.results = results
        self.count = 0

    async def __call__(self) -> Answer:
        await trio.lowlevel.checkpoint()
        result = self.results[min(self.count, len(self.results) - 1)]
        self.count += 1
        if isinstance(result, Exception):
            raise result
        return result


@pytest.mark.parametrize(
    "results",
    [
        [DONE],
        [LOST, DONE],
        [NOBODY, NOBODY, DONE],
        [OVERLOADED, DONE],
        [UNKNOWN, LOST, DONE],
        [LOST, RATE_LIMITED, DONE],
        [Answer(502, b"<html>bad gateway</html>"), DONE],
    ],
)
async def test_asks_until_it_is_done(results: list[Any], autojump_clock: object) -> None:
    attempts = Attempts(*results)
    assert await persist(attempts, PATIENCE, "k") == DONE
    assert attempts.count == len(results)


async def test_waits_as_long_as_it_is_asked_to(autojump_clock: object) -> None:
    began = trio.current_time()
    await persist(Attempts(refusal(1013, 503, retry_after_s=5), DONE), PATIENCE, "k")
    assert trio.current_time() - began >= 5


@pytest.mark.parametrize("answer", [refusal(203, 409), refusal(1002, 400), RATE_LIMITED])
async def test_what_stands_is_raised_at_once(answer: Answer, autojump_clock: object) -> None:
    attempts = Attempts(answer)
    with pytest.raises(Refused) as refused:
        await persist(attempts, PATIENCE, "k")
    assert attempts.count == 1
    assert refused.value.problem == answer.problem()


@pytest.mark.parametrize("results", [[LOST], [UNKNOWN], [LOST, OVERLOADED], [LOST, NOBODY]])
async def test_patience_ends_with_the_key_where_something_may_have_been_taken(
    results: list[Any], autojump_clock: object
) -> None:
    with pytest.raises(OutcomeUnknown) as unknown:
        await persist(Attempts(*results), PATIENCE, "k")
    assert unknown.value.idempotency_key == "k"
    assert trio.current_time() > 0


@pytest.mark.parametrize(
    ("results", "error"),
    [([NOBODY], Unreachable), ([OVERLOADED], Refused), ([NOBODY, OVERLOADED], Refused)],
)
async def test_patience_ends_plainly_where_nothing_was_taken(
    results: list[Any], error: type[Exception], autojump_clock: object
) -> None:
    with pytest.raises(error):
        await persist(Attempts(*results), PATIENCE, "k")


async def test_a_reading_that_was_lost_is_no_unknown_outcome(autojump_clock: object) -> None:
    with pytest.raises(Unreachable):
        await persist(Attempts(LOST), PATIENCE)


async def test_another_language_is_not_asked_again() -> None:
    attempts = Attempts(Answer(404, b"<html>"))
    with pytest.raises(NotUnderstood):
        await persist(attempts, PATIENCE, "k")
    assert attempts.count == 1
