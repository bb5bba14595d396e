"""A sender of order messages: its commands are begun in order, and only so many at a time."""

from collections import deque
from typing import Final

from tradeclear.gateway.order_messages import Later, OrderMessages, Tell

UNDER_WAY_MAX: Final = 4_096
"""So many commands of one connection are begun and not answered."""

TURN_COMMANDS_MAX: Final = 64
"""So many commands of one connection are begun before others get their turn."""


class OrderSession:
    """Commands of one connection. `send` is given each reply's text once, as soon as it is there.

    It holds back what comes while too much is under way or its turn is over, which is a message's
    rest at most, if `take` is called only when there is `room`. `go_on` begins its next turn.
    """

    __slots__ = ("_address", "_later", "_left", "_messages", "_send", "_waiting", "under_way")

    def __init__(self, messages: OrderMessages, address: str, send: Tell) -> None:
        self._messages: Final = messages
        self._address: Final = address
        self._send: Final = send
        self._waiting: Final[deque[bytes]] = deque()
        self._later: Later | None = None
        self._left = TURN_COMMANDS_MAX
        self.under_way = 0
        """Commands that were taken up and are not answered."""

    def take(self, text: bytes) -> bool:
        """Begin a message's commands, or hold them back. False if it is not even UTF-8."""
        if not _is_utf8(text):
            return False
        if text[:1] != b"[" and text.lstrip()[:1] != b"[":
            self._begin(text)
        else:
            self._take_array(text)
        return True

    def _take_array(self, text: bytes) -> None:
        self.under_way += 1  # for the refusal, if it is one
        commands = self._messages.split(text, self._address, self._tell)
        self._left -= 1
        if commands is not None:
            self.under_way -= 1
            self._waiting.extend(commands)
            self._begin_waiting()

    def go_on(self) -> None:
        """Begin what is held back, as much as may be in one turn."""
        self._left = TURN_COMMANDS_MAX
        self._begin_waiting()

    def _begin_waiting(self) -> None:
        while self._left > 0 and not self.blocked:
            if self._later is not None:
                later, self._later = self._later, None
                later()
            elif self._waiting:
                self._begin(self._waiting.popleft())
            else:
                return

    def _begin(self, text: bytes) -> None:
        self._left -= 1
        self.under_way += 1
        alone = self.under_way == 1
        self._later = self._messages.begin(text, self._address, self._tell, alone=alone)

    @property
    def blocked(self) -> bool:
        """Whether nothing can begin until a reply is there."""
        return self.under_way > (UNDER_WAY_MAX - 1 if self._later is None else 1)

    @property
    def room(self) -> bool:
        """Whether the next message may be taken."""
        free = self._left > 0 and self.under_way < UNDER_WAY_MAX
        return free and self._later is None and not self._waiting

    def _tell(self, text: bytes) -> None:
        self.under_way -= 1
        self._send(text)


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
