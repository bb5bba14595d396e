"""What can be subscribed to."""

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

Channel: TypeAlias = Literal["orderbook_deltas", "trades", "orders"]
CHANNELS: Final[tuple[str, ...]] = get_args(Channel)

INTERVALS_MS: Final = (50, 100, 250, 500, 1000, 2000, 5000)
"""Depth can be conflated to these; the fewer there are, the more subscribers share a message."""


class Topic(NamedTuple):
    """A channel of an instrument: for `orders`, of a client; for depth, maybe conflated."""

    channel: Channel
    instrument: str
    client_id: str = ""
    interval_ms: int = 0

    @property
    def place(self) -> tuple[str, str, str]:
        """What it is about. A subscriber has at most one topic for each."""
        return self.channel, self.instrument, self.client_id
