"""Exceptions to replies: one table, so that each is the same problem at every door."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from tradeclear.gateway.decode import RequestRefused
from tradeclear.gateway.problems import (
    AGED_OUT,
    INTERNAL_ERROR,
    INVALID_FIELD,
    KEY_REUSED,
    OUTCOME_UNKNOWN,
    OVERLOADED,
    QUARANTINED,
    RATE_LIMITED,
    STOPPING,
    Kind,
    Reply,
    problem,
)
from tradeclear.gateway.rate_limits import RateLimited
from tradeclear.model.errors import (
    AgedOut,
    InvalidField,
    KeyReused,
    OutcomeUnknown,
    Overloaded,
    Quarantined,
    Stopping,
    TradeclearError,
)

RETRY_S: Final = 1.0
"""What `Retry-After` says where nobody knows better."""


def refusal(error: TradeclearError) -> Reply:
    """The reply that tells of `error`."""
    for kind in type(error).__mro__:
        if kind in _REFUSALS:
            return _REFUSALS[kind](error)
    return problem(INTERNAL_ERROR, str(error), retry_after_s=RETRY_S)


def _refused(error: RequestRefused) -> Reply:
    return problem(error.kind, error.detail, field=error.field)


def _invalid_field(error: InvalidField) -> Reply:
    return problem(INVALID_FIELD, str(error), field=error.field)


def _overloaded(error: Overloaded) -> Reply:
    return _busy(str(error), error.retry_after_s)


@lru_cache(16)
def _busy(detail: str, retry_after_s: float) -> Reply:
    """Kept: it is said most when there is least time to say it."""
    return problem(OVERLOADED, detail, retry_after_s=retry_after_s)


def _rate_limited(error: RateLimited) -> Reply:
    return problem(
        RATE_LIMITED,
        str(error),
        retry_after_s=error.taken.wait_s,
        headers=error.taken.headers(),
    )


def _plain(kind: Kind, retry_after_s: float | None = None) -> Callable[[Exception], Reply]:
    def reply(error: Exception) -> Reply:
        return problem(kind, str(error) or kind.title, retry_after_s=retry_after_s)

    return reply


_REFUSALS: Final[dict[type[Any], Callable[[Any], Reply]]] = {
    RequestRefused: _refused,
    InvalidField: _invalid_field,
    Overloaded: _overloaded,
    RateLimited: _rate_limited,
    Stopping: _plain(STOPPING, RETRY_S),
    OutcomeUnknown: _plain(OUTCOME_UNKNOWN, RETRY_S),
    KeyReused: _plain(KEY_REUSED),
    Quarantined: _plain(QUARANTINED),
    AgedOut: _plain(AGED_OUT),
}
