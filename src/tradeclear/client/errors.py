"""What can go wrong between a client and the exchange, told so that the caller knows what to do."""

from typing import Final

from tradeclear.client.problem import Problem
from tradeclear.model.errors import TradeclearError

PASSING_STATUSES: Final = frozenset({429, 503})


class ClientError(TradeclearError):
    """Root of what the client raises; but a wrong argument is an `InvalidField` of `model`."""


class Refused(ClientError):
    """The exchange said no, and nothing changed. `code` is to program by, the text for people."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.name} ({problem.code}): {problem.detail}")
        self.problem = problem

    @property
    def code(self) -> int:
        """The problem's number, as docs/conformance.md and /openapi.json list them."""
        return self.problem.code

    @property
    def name(self) -> str:
        return self.problem.name

    @property
    def passing(self) -> bool:
        """Whether the same may be taken later: too much was asked for, or it can't serve now."""
        return self.problem.status in PASSING_STATUSES

    @property
    def field(self) -> str | None:
        """What to mend, where one field is wrong."""
        return self.problem.field

    @property
    def retry_after_s(self) -> int | None:
        """How long to wait before it may do, where waiting helps."""
        return self.problem.retry_after_s


class OutcomeUnknown(ClientError):
    """The command may or may not have taken effect: ask again with this `idempotency_key`."""

    def __init__(self, idempotency_key: str, why: str) -> None:
        super().__init__(f"{why}; ask again with the idempotency key {idempotency_key}")
        self.idempotency_key = idempotency_key


class Unreachable(ClientError):
    """The exchange can't be reached, and nothing was taken: try again later, or elsewhere."""


class NotUnderstood(ClientError):
    """What answered is no tradeclear, or a newer one than this client knows: don't retry."""


class Disconnected(ClientError):
    """A connection is lost; `code` is the WebSocket's close code, None if there was none.

    The client mends this itself; it is raised only inside it.
    """

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason if code is None else f"closed with code {code}: {reason}")
        self.code = code
