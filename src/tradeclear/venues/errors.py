"""What an outside venue may do to us, told so that the caller knows what to do."""

from tradeclear.model.errors import TradeclearError


class VenueUnavailable(TradeclearError):
    """The venue did not answer, or not as it should: try again later."""


class VenueBusy(VenueUnavailable):
    """The venue asks for quiet (429, 418): nothing may be asked for `retry_after_s`."""

    def __init__(self, problem: str, retry_after_s: float) -> None:
        super().__init__(f"{problem}; nothing is asked for {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s


class VenueRefused(TradeclearError):
    """The venue says that the request is wrong: mend the settings."""
