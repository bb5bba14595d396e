"""Who is told: what a carrier of streams looks like to those who make the messages."""

from typing import Final, Protocol

from tradeclear.gateway.streams.message import Encoding

BACKLOG_BYTES_MAX: Final = 48 * 1024
"""A subscriber with more than that waiting for it is cut off. What comes next is always taken, for
a command may change much, and its bytes are the same for everyone who waits for them."""

STALL_S_MAX: Final = 8.0
"""A subscriber that has taken nothing of what waits for it for so long is cut off."""

SEND_BUFFER_BYTES: Final = 65_536
"""Asked of the kernel for each connection; Linux takes it twice."""

NOT_READY: Final = -1
"""No descriptor at all."""

GOING_AWAY: Final = 1001
FAULT: Final = 1011
TRY_AGAIN: Final = 1013
TOO_SLOW: Final = 4008
"""Close codes; docs/streams.md says what a client does about each."""


class Subscriber(Protocol):
    """One connection. Nothing here waits or raises, but for `wait_room`."""

    @property
    def encoding(self) -> Encoding:
        """What `deliver` wants."""

    @property
    def ready_descriptor(self) -> int:
        """A write of whole messages to it is a delivery; `NOT_READY` while `deliver` is needed."""

    def deliver(self, data: bytes | memoryview) -> None:
        """Send `data` after all that waits, or cut the subscriber off."""

    def dismiss(self, code: int, reason: str) -> None:
        """Say why and close, in WebSocket's terms."""

    async def wait_room(self) -> None:
        """Until nothing waits to be sent. Always a checkpoint."""
