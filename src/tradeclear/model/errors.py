"""What can go wrong before the matcher is asked, told so that the caller can mend it."""

from tradeclear.model.units import Seq


class TradeclearError(Exception):
    """Root of every exception that tradeclear raises on purpose."""


class InvalidField(TradeclearError):
    """A request's field is wrong: mend it and send again. `field` names it, the text says how."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class Overloaded(TradeclearError):
    """The input channel is full: nothing was taken, try again after `retry_after_s`."""

    def __init__(self, retry_after_s: float = 1.0) -> None:
        super().__init__("the exchange is busy: its input channel is full")
        self.retry_after_s = retry_after_s


class Stopping(TradeclearError):
    """The exchange is shutting down: nothing was taken, try again when it is back."""


class OutcomeUnknown(TradeclearError):
    """The command may or may not have taken effect: ask again with its idempotency key."""


class KeyReused(TradeclearError):
    """The idempotency key was used for another request, at `seq`: choose a new key."""

    def __init__(self, seq: Seq) -> None:
        super().__init__(f"the idempotency key was used for another request (sequence {seq})")
        self.seq = seq


class Quarantined(TradeclearError):
    """This very command once stopped the exchange and is refused since: report it, don't retry."""

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"the command once stopped the exchange and is quarantined (digest {digest})"
        )
        self.digest = digest


class AgedOut(TradeclearError):
    """The answer is older than what is remembered: it can't be given any more."""
