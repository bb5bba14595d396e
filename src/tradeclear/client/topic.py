"""What can be followed: a channel of an instrument, and of a client for `orders`."""

from typing import Literal, TypeAlias

from msgspec import Struct

from tradeclear.model.units import Seq

Channel: TypeAlias = Literal["orderbook_deltas", "trades", "orders"]

Place: TypeAlias = tuple[Channel, str, str | None]
"""Channel, instrument and client: what tells topics apart."""


class Topic(Struct, frozen=True, kw_only=True):
    """One subscription. `from_sequence`: everything up to there is known already, go on from it.

    Without it a topic begins with a snapshot, if its channel has one. `interval_ms` conflates
    `orderbook_deltas`: 50, 100, 250, 500, 1000, 2000 or 5000.
    """

    channel: Channel
    instrument: str
    client_id: str | None = None
    interval_ms: int | None = None
    from_sequence: Seq | None = None

    @staticmethod
    def deltas(
        instrument: str, *, interval_ms: int | None = None, from_sequence: Seq | None = None
    ) -> "Topic":
        """The changes of a book's levels."""
        return Topic(
            channel="orderbook_deltas",
            instrument=instrument,
            interval_ms=interval_ms,
            from_sequence=from_sequence,
        )

    @staticmethod
    def trades(instrument: str, *, from_sequence: Seq | None = None) -> "Topic":
        """All trades."""
        return Topic(channel="trades", instrument=instrument, from_sequence=from_sequence)

    @staticmethod
    def orders(instrument: str, client_id: str, *, from_sequence: Seq | None = None) -> "Topic":
        """What happens to the orders of one client."""
        return Topic(
            channel="orders",
            instrument=instrument,
            client_id=client_id,
            from_sequence=from_sequence,
        )

    @property
    def place(self) -> Place:
        """What tells it from the other topics of a connection."""
        return (self.channel, self.instrument, self.client_id)
