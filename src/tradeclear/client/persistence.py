"""Asking until there is an answer that stands.

Safe because what is asked either only reads or carries an idempotency key. Once an answer was lost,
a refusal for want of room says nothing about the command that was sent before it: then there is
more asking, or the outcome is unknown.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from tradeclear.client.answer import GATEWAY_STATUSES, Answer
from tradeclear.client.backoff import Backoff, Patience
from tradeclear.client.errors import (
    ClientError,
    Disconnected,
    NotUnderstood,
    OutcomeUnknown,
    Refused,
    Unreachable,
)

RATE_LIMITED: Final = 1012
UNKNOWN_CODES: Final = frozenset({1015, 1018})
"""outcome_unknown and internal_error: the command may have taken effect."""

Attempt = Callable[[], Awaitable[Answer]]
"""Asks once. Raises `Unreachable` if nothing was sent, `Disconnected` if no answer came."""


async def persist(attempt: Attempt, patience: Patience, key: str | None = None) -> Answer:
    """Ask until it is done. `key`: the idempotency key of what changes something.

    Raises `Refused`; or, when patience is at an end, `OutcomeUnknown` for what has a key and may
    have been taken, else `Unreachable` or the last `Refused`. `NotUnderstood` at once. Cancelled,
    a command may or may not have been taken.
    """
    backoff = Backoff(patience)
    unknown = False
    while True:
        failure = await _once(attempt, unknown)
        if isinstance(failure, Answer):
            return failure
        unknown = unknown or _leaves_unknown(failure)
        wait_s = backoff.next_s(_asked_for(failure))
        if wait_s is None:
            if unknown and key is not None:
                raise OutcomeUnknown(key, str(failure)) from failure
            if isinstance(failure, Refused):
                raise failure
            raise Unreachable(str(failure)) from failure
        await trio.sleep(wait_s)


async def _once(attempt: Attempt, unknown: bool) -> Answer | ClientError:
    """The answer, or why to ask again. Raises what stands."""
    try:
        answer = await attempt()
    except (Unreachable, Disconnected) as error:
        return error
    if answer.done:
        return answer
    problem = answer.problem()
    if problem is None:
        if answer.status in GATEWAY_STATUSES:
            return Disconnected(f"status {answer.status} of something that is no tradeclear")
        raise NotUnderstood(f"status {answer.status}: {answer.body[:200]!r}")
    refused = Refused(problem)
    if refused.passing and (unknown or problem.code != RATE_LIMITED):
        return refused
    raise refused


def _leaves_unknown(failure: ClientError) -> bool:
    if isinstance(failure, Refused):
        return failure.code in UNKNOWN_CODES
    return isinstance(failure, Disconnected)


def _asked_for(failure: ClientError) -> float:
    """How long the exchange asks to be left alone."""
    return (isinstance(failure, Refused) and failure.retry_after_s) or 0
