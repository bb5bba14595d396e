"""The place of one request's response in the order of its connection."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tradeclear.gateway.door.client import Client


class Slot:
    """Filled once, whenever the response is there, even if the connection is there no more."""

    __slots__ = ("client", "response")

    def __init__(self, client: "Client") -> None:
        self.client: Final = client
        self.response: bytes | None = None

    def fill(self, response: bytes) -> None:
        """The response is there: it leaves with the next flush, in its turn."""
        self.response = response
        self.client.filled()
